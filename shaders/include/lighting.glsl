// One key light that the user turns, a soft light from the viewer and a sky; all in view space, linear light.
uniform vec3 light_direction;  // unit, towards the light

const vec3 KEY = vec3(1.00, 0.97, 0.93);
const vec3 FILL = vec3(0.34, 0.35, 0.37);
const vec3 SKY = vec3(0.26, 0.28, 0.31);
const vec3 GROUND = vec3(0.13, 0.11, 0.10);

// Lambert wrapped around the terminator by `wrap`, the same energy over the sphere.
vec3 wrapped(float cosine, vec3 wrap) {
    return max((cosine + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0);
}

vec3 light_on(vec3 normal, vec3 wrap) {
    return KEY * wrapped(dot(normal, light_direction), wrap) + FILL * max(normal.z, 0.0)
        + mix(GROUND, SKY, 0.5 + 0.5 * normal.y);
}

// Blinn-Phong lobe with exponent 2^doublings (cheaper than pow) and about the same energy for each of them.
float highlight(vec3 normal, vec3 viewer, int doublings) {
    float lobe = max(dot(normal, normalize(viewer + light_direction)), 0.0);
    for (int i = 0; i < doublings; ++i) lobe *= lobe;
    return (float(1 << doublings) + 8.0) / 25.0 * lobe * step(0.0, dot(normal, light_direction));
}

float fresnel(vec3 normal, vec3 viewer) {
    float grazing = 1.0 - max(dot(normal, viewer), 0.0);
    float squared = grazing * grazing;
    return 0.04 + 0.96 * squared * squared * grazing;
}
