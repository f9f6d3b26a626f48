#version 330 core
// The face mesh, moved along its smooth normals by the detail map.
#include "detail.glsl"

in vec3 in_position;  // mm, model space
in vec3 in_normal;    // model space, any length
in vec2 in_uv;
in float in_outer;
in float in_openness;

uniform mat4 clip_from_model;
uniform mat4 view_from_model;

out vec3 surface_position;
out vec3 surface_normal;
out vec2 surface_uv;
out float surface_outer;
out float surface_openness;

void main() {
    vec3 normal = normalize(in_normal);
    surface_position = (view_from_model * vec4(in_position, 1.0)).xyz;
    surface_normal = mat3(view_from_model) * normal;
    surface_uv = in_uv;
    surface_outer = in_outer;
    surface_openness = in_openness;
    gl_Position = clip_from_model * vec4(in_position + height_mm(window_from_uv(in_uv)) * normal, 1.0);
}
