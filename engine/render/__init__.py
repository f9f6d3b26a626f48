"""Drawing with OpenGL: everything of moderngl lives here; the context is passed in."""
