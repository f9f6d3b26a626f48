"""From one photo to a detailed, riggable 3D face: everything that needs no window."""
