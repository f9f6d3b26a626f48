#version 330 core
// The photo's colours, lit gently: the photo brings its own light, ours adds what turns and what the relief does.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"

uniform sampler2D skin_texture;  // sRGB, row 0 at v = 1
uniform bool unlit;

out vec4 color;

const float FORM_LIGHT = 0.45;    // how much of our light's play over the large form shows (the photo has its own)
const float RELIEF_LIGHT = 1.0;  // the same for wrinkles and pores
const vec3 SKIN_WRAP = vec3(0.45, 0.25, 0.20);  // red light travels furthest under the skin
const float SKIN_GLOSS = 0.055, EYE_GLOSS = 0.30;
const int SKIN_SHARPNESS = 4, EYE_SHARPNESS = 7;  // exponents 16 and 128
const float RIM = 0.10;
const vec3 BACK = vec3(0.030, 0.026, 0.026);

void main() {
    vec3 viewer = to_viewer();
    vec3 form = form_normal();
    Relief bent = relief(form);
    vec3 albedo = linear_from_srgb(texture(skin_texture, vec2(surface_uv.x, 1.0 - surface_uv.y)).rgb);
    if (seen_from_behind(viewer)) {
        color = vec4(srgb_from_linear(BACK * (0.6 + 0.8 * abs(form.z))), 1.0);
        return;
    }
    vec3 result = albedo;
    if (!unlit) {
        vec3 wrap = part_kind == SKIN ? SKIN_WRAP : vec3(0.2);
        vec3 on_form = light_on(form, wrap);
        vec3 shade = mix(vec3(1.0), on_form / light_on(vec3(0.0, 0.0, 1.0), wrap), FORM_LIGHT);
        shade *= mix(vec3(1.0), light_on(bent.normal, wrap) / on_form, RELIEF_LIGHT);
        float gloss = part_kind == EYE ? EYE_GLOSS * highlight(form, viewer, EYE_SHARPNESS)
                                     : SKIN_GLOSS * highlight(bent.normal, viewer, SKIN_SHARPNESS);
        gloss += RIM * fresnel(bent.normal, viewer);
        result = (albedo * shade + (part_kind == INSIDE ? 0.3 : 1.0) * gloss * KEY);
    }
    color = vec4(srgb_from_linear(result * surface_openness), 1.0);
}
