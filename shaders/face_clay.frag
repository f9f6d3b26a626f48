#version 330 core
// Neutral clay: nothing but the shape.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"

out vec4 color;

const vec3 CLAY = vec3(0.36, 0.345, 0.33), EYEBALL = vec3(0.42, 0.41, 0.40), LINING = vec3(0.34, 0.325, 0.31);
const vec3 BACK = vec3(0.035, 0.034, 0.034);
const vec3 WRAP = vec3(0.14, 0.11, 0.10);
const float CAVITY_PER_MM = 9.0;   // darkening in furrows, brightening on ridges
const float GLOSS = 0.045, RIM = 0.10;
const int SHARPNESS = 4;

void main() {
    vec3 viewer = to_viewer();
    vec3 form = form_normal();
    Relief bent = relief(form);
    if (seen_from_behind(viewer)) {
        color = vec4(srgb_from_linear(BACK * (0.6 + 0.8 * abs(form.z))), 1.0);
        return;
    }
    vec3 clay = part_kind == SKIN ? CLAY : part_kind == EYE ? EYEBALL : LINING;
    float cavity = clamp(1.0 - CAVITY_PER_MM * bent.cavity_mm, 0.65, 1.12);
    vec3 light = light_on(bent.normal, WRAP);
    float gloss = GLOSS * highlight(bent.normal, viewer, SHARPNESS) + RIM * fresnel(bent.normal, viewer);
    color = vec4(srgb_from_linear((clay * light * cavity + gloss) * surface_openness), 1.0);
}
