#version 330 core
// The photo, centred in the view; around it nothing is drawn.
in vec2 screen;

uniform sampler2D photo;    // row 0 at the top, not decoded: it goes to the screen as it is
uniform vec2 photo_extent;  // share of the view that the photo takes

out vec4 color;

void main() {
    vec2 at = (screen - 0.5) / photo_extent + 0.5;
    vec3 pixel = texture(photo, vec2(at.x, 1.0 - at.y)).rgb;
    if (at != clamp(at, 0.0, 1.0)) discard;
    color = vec4(pixel, 1.0);
}
