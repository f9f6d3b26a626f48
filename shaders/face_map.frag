#version 330 core
// The displacement in false colour: blue inwards, white none, red outwards.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"

uniform float map_range_mm;  // full colour at plus and minus this

out vec4 color;

// Ends and middle of a perceptually even diverging scale, sRGB (Moreland, "Diverging color maps", 2009).
const vec3 INWARDS = vec3(0.230, 0.299, 0.754), NONE = vec3(0.930, 0.930, 0.925), OUTWARDS = vec3(0.706, 0.016, 0.150);
const vec3 NO_MAP = vec3(0.45);
const float SHADING = 0.35;

void main() {
    vec3 viewer = to_viewer();
    vec3 form = form_normal();
    Relief bent = relief(form);
    if (seen_from_behind(viewer)) {
        color = vec4(vec3(0.16) * (0.6 + 0.8 * abs(form.z)), 1.0);
        return;
    }
    float part = clamp(bent.height_mm / map_range_mm, -1.0, 1.0);
    vec3 tint = mix(NONE, part < 0.0 ? INWARDS : OUTWARDS, abs(part));
    tint = linear_from_srgb(part_kind == SKIN ? tint : NO_MAP);
    vec3 light = light_on(bent.normal, vec3(0.3)) / light_on(vec3(0.0, 0.0, 1.0), vec3(0.3));
    color = vec4(srgb_from_linear(tint * mix(vec3(1.0), light, SHADING) * surface_openness), 1.0);
}
