#version 330 core
// For each pixel of the map the triangle that it lies on and where: drawn once per topology, read by every blend.
flat in ivec3 vertices;
in vec2 barycentric;

out uvec4 entry;  // vertex indices + 1 (0 = off the skin), then two barycentric coordinates in 16 bits each

void main() {
    uvec2 fixed_point = uvec2(round(clamp(barycentric, 0.0, 1.0) * 65535.0));
    entry = uvec4(uvec3(vertices) + 1u, fixed_point.x | (fixed_point.y << 16));
}
