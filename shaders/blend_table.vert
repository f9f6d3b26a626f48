#version 330 core
// The skin laid flat in the UV window, three vertices of its own for each triangle.
in vec2 in_place;      // position in the window, 0..1, y down: row 0 of the target is the map's row 0
in ivec3 in_vertices;  // the triangle's mesh vertices
in vec2 in_barycentric;

flat out ivec3 vertices;
out vec2 barycentric;

void main() {
    vertices = in_vertices;
    barycentric = in_barycentric;
    gl_Position = vec4(2.0 * in_place - 1.0, 0.0, 1.0);
}
