#version 330 core
// The photo's colours, lit gently: the photo brings its own light, ours adds what turns and what the relief does.
#include "surface.glsl"
#include "lighting.glsl"
#include "color.glsl"
#include "eye.glsl"

uniform sampler2D skin_texture;  // sRGB, row 0 at v = 1
uniform bool unlit;
uniform bool over_photo;  // skin that turns away passes into what is behind it

out vec4 color;

const float FORM_LIGHT = 0.5;    // how much of our light's play over the large form shows (the photo has its own)
const float RELIEF_LIGHT = 0.9;  // the same for wrinkles and pores
const float HOLLOWS = 0.55;      // the photo has most of the shade in hollows already
const vec3 SKIN_WRAP = vec3(0.50, 0.30, 0.24);  // red light travels furthest under the skin
const vec3 INSIDE_WRAP = vec3(0.35, 0.25, 0.25);
const float SKIN_GLOSS = 0.032, INSIDE_GLOSS = 0.05;
const int SKIN_SHARPNESS = 3, INSIDE_SHARPNESS = 6;  // exponents 8 and 64
const vec3 INSIDE_TINT = vec3(1.30, 0.94, 0.88);  // light that has been between lips and gums
const vec2 THROAT = vec2(0.55, 0.9);  // openness from which to which moist linings begin to gleam: no palate does
const float RIM = 0.08;
const vec2 TURNING_AWAY = vec2(0.10, 0.45);  // cosines to the viewer
const float EYE_SHADE = 0.6;  // how much of it beside a photo, in which eyes are lit from in front
const vec3 BACK = vec3(0.030, 0.026, 0.026);

void main() {
    vec3 viewer = to_viewer();
    vec3 form = form_normal();
    Relief bent = relief(form);
    vec3 albedo = linear_from_srgb(texture(skin_texture, vec2(surface_uv.x, 1.0 - surface_uv.y)).rgb);
    if (seen_from_behind(viewer)) {
        if (over_photo) discard;
        color = vec4(srgb_from_linear(BACK * (0.6 + 0.8 * abs(form.z))), 1.0);
        return;
    }
    vec3 open = vec3(part_kind == SKIN ? mix(1.0, surface_openness, unlit ? 0.0 : HOLLOWS) : surface_openness);
    if (part_kind == INSIDE) open *= mix(INSIDE_TINT, vec3(1.0), surface_openness);
    if (over_photo && part_kind == EYE) open = mix(vec3(1.0), open, EYE_SHADE);
    vec3 result = albedo;
    if (!unlit) {
        if (part_kind == EYE) {
            result = lit_eye(albedo, form, viewer);
        } else {
            vec3 wrap = part_kind == SKIN ? SKIN_WRAP : INSIDE_WRAP;
            vec3 on_form = light_on(form, wrap);
            vec3 shade = mix(vec3(1.0), on_form / light_on(vec3(0.0, 0.0, 1.0), wrap), FORM_LIGHT);
            shade *= mix(vec3(1.0), light_on(bent.normal, wrap) / on_form, RELIEF_LIGHT);
            float gloss = part_kind == SKIN ? SKIN_GLOSS * highlight(bent.normal, viewer, SKIN_SHARPNESS)
                                            : INSIDE_GLOSS * highlight(bent.normal, viewer, INSIDE_SHARPNESS);
            gloss += RIM * fresnel(bent.normal, viewer);
            if (part_kind == INSIDE) gloss *= surface_openness * smoothstep(THROAT.x, THROAT.y, surface_openness);
            result = albedo * shade + gloss * KEY;
        }
    }
    float cover = 1.0;
    if (over_photo && part_kind == SKIN) {
        cover = mix(1.0, smoothstep(TURNING_AWAY.x, TURNING_AWAY.y, form.z), surface_outer);  // lips and lids end sharply
    }
    color = vec4(srgb_from_linear(result * open), cover);
}
