#version 330 core
// One triangle that covers the view, at its far end.
out vec2 screen;  // 0..1, up

void main() {
    screen = vec2(gl_VertexID == 1 ? 2.0 : 0.0, gl_VertexID == 2 ? 2.0 : 0.0);
    gl_Position = vec4(2.0 * screen - 1.0, 1.0, 1.0);
}
