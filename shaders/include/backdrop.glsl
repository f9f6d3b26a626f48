// A quiet vertical gradient behind everything. Needs: in vec2 screen.
uniform vec3 middle;  // sRGB

const float BACKDROP_TOP = 1.30, BACKDROP_BOTTOM = 0.72;

// Half a grey level of fixed noise, so that the gradient shows no bands (Jimenez, SIGGRAPH 2014 course notes).
float dither() {
    return (fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) - 0.5) / 255.0;
}

vec3 backdrop() {
    return middle * mix(BACKDROP_BOTTOM, BACKDROP_TOP, screen.y) + dither();
}
