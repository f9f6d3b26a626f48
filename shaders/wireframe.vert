#version 330 core
// Edges of the base mesh, displaced like the surface and pulled a little towards the viewer.
#include "detail.glsl"

in vec3 in_position;
in vec3 in_normal;
in vec2 in_uv;

uniform mat4 clip_from_model;
uniform float depth_bias;  // normalised device depth

void main() {
    vec3 normal = normalize(in_normal);
    gl_Position = clip_from_model * vec4(in_position + height_mm(window_from_uv(in_uv)) * normal, 1.0);
    gl_Position.z -= depth_bias * gl_Position.w;
}
