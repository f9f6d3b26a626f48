#version 330 core
// The part of the photo that the view looks at, the backdrop around it.
in vec2 screen;

#include "backdrop.glsl"

uniform sampler2D photo;  // row 0 at the top, not decoded: it goes to the screen as it is
uniform vec4 shown;       // left, top, right and bottom of the view in the photo, 0..1 within it
uniform float alpha;

out vec4 color;

void main() {
    vec2 at = mix(shown.xy, shown.zw, vec2(screen.x, 1.0 - screen.y));
    vec3 pixel = texture(photo, at).rgb;
    color = vec4(at == clamp(at, 0.0, 1.0) ? pixel : backdrop(), alpha);
}
