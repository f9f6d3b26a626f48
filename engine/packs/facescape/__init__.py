"""The FaceScape pack: the files of the original system, imported under their own licence."""
