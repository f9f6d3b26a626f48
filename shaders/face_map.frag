#version 330 core
// The displacement in false colours.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"

uniform float stop_depths_mm[STOP_COUNT];  // rising
uniform vec3 stop_colors[STOP_COUNT];      // sRGB

out vec4 color;

const vec3 NO_MAP = vec3(0.45);
const float SHADING = 0.35;

vec3 depth_color(float depth_mm) {
    vec3 found = stop_colors[0];
    for (int i = 1; i < STOP_COUNT; ++i) {
        float before = stop_depths_mm[i - 1];
        found = mix(found, stop_colors[i], clamp((depth_mm - before) / (stop_depths_mm[i] - before), 0.0, 1.0));
    }
    return found;
}

void main() {
    vec3 viewer = to_viewer();
    vec3 form = form_normal();
    Relief bent = relief(form);
    if (seen_from_behind(viewer)) {
        color = vec4(vec3(0.16) * (0.6 + 0.8 * abs(form.z)), 1.0);
        return;
    }
    vec3 tint = linear_from_srgb(part_kind == SKIN ? depth_color(bent.height_mm) : NO_MAP);
    vec3 light = light_on(bent.normal, vec3(0.3)) / light_on(vec3(0.0, 0.0, 1.0), vec3(0.3));
    color = vec4(srgb_from_linear(tint * mix(vec3(1.0), light, SHADING) * surface_openness), 1.0);
}
