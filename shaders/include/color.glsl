// sRGB transfer functions (IEC 61966-2-1).
// A polynomial and roots instead of pow, fitted to the standard's curves for half the time on software OpenGL: there and
// back again is within 0.15 grey levels.
vec3 linear_from_srgb(vec3 c) {
    vec3 curve = 0.00104655 + c * (0.02839930 + c * (0.56039386 + c * (0.52647787 - c * 0.11677519)));
    return mix(c / 12.92, curve, step(0.04045, c));
}

vec3 srgb_from_linear(vec3 c) {
    c = clamp(c, 0.0, 1.0);
    vec3 root = sqrt(c);
    vec3 curve = 0.83371318 * root + 0.29814279 * sqrt(root) - 0.05530484 * c - 0.07691106;
    return mix(c * 12.92, curve, step(0.0031308, c));
}
