#version 330 core
// A quiet vertical gradient.
in vec2 screen;

uniform vec3 middle;  // sRGB

out vec4 color;

const float TOP = 1.30, BOTTOM = 0.72;

// Half a grey level of fixed noise, so that the gradient shows no bands (Jimenez, SIGGRAPH 2014 course notes).
float dither() {
    return (fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5) / 255.0;
}

void main() {
    color = vec4(middle * mix(BOTTOM, TOP, screen.y) + dither(), 1.0);
}
