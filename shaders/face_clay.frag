#version 330 core
// Neutral grey: nothing but the shape.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"

uniform int part_kind;

out vec4 color;

const vec3 CLAY = vec3(0.42, 0.41, 0.40), EYE = vec3(0.47, 0.47, 0.47), INSIDE = vec3(0.30, 0.27, 0.26);
const vec3 BACK = vec3(0.035, 0.034, 0.034);
const vec3 WRAP = vec3(0.12);
const float CAVITY_PER_MM = 9.0;   // darkening in furrows, brightening on ridges
const float GLOSS = 0.05, RIM = 0.12;
const int SHARPNESS = 4;

void main() {
    vec3 viewer = to_viewer();
    vec3 form = normalize(surface_normal);
    Relief bent = relief(form);
    if (!gl_FrontFacing) {
        color = vec4(srgb_from_linear(BACK * (0.6 + 0.8 * abs(form.z))), 1.0);
        return;
    }
    vec3 clay = part_kind == 0 ? CLAY : part_kind == 1 ? EYE : INSIDE;
    float cavity = clamp(1.0 - CAVITY_PER_MM * bent.cavity_mm, 0.65, 1.12);
    vec3 light = light_on(bent.normal, WRAP);
    float gloss = GLOSS * highlight(bent.normal, viewer, SHARPNESS) + RIM * fresnel(bent.normal, viewer);
    color = vec4(srgb_from_linear((clay * light * cavity + gloss) * surface_openness), 1.0);
}
