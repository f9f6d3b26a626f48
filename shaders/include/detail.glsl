// The relief map over the UV window, row 0 at the window's upper edge: height along the normal (mm), its slopes towards
// the right and downwards (mm per window), and the cavity (see relief.frag).
uniform sampler2D detail_map;
uniform vec4 window;            // u0, v0, u1, v1
uniform float detail_strength;  // factor on the map; 0 for parts without detail

vec2 window_from_uv(vec2 uv) {
    return vec2(uv.x - window.x, window.w - uv.y) / (window.zw - window.xy);
}

float inside_window(vec2 at) {
    return at == clamp(at, 0.0, 1.0) ? 1.0 : 0.0;
}

// For vertices: the finest level.
float height_mm(vec2 at) {
    return detail_strength * inside_window(at) * textureLod(detail_map, at, 0.0).r;
}
