// The eyeball: a moist sphere with the cornea's stronger curve in front and the iris as a shallow bowl below it.
uniform vec3 eye_axis;  // unit, view space, the way the eye looks

const float LIMBUS = 0.49;           // sine of the angle between the axis and the edge of the iris
const float CORNEA = 1.38;           // how much more the normals spread there than on the ball: radii of 12 and 7.8 mm
const float BOWL = 1.1;              // how far the iris' own normals lean towards the middle
const float EYE_FORM = 0.6;
const vec3 EYE_WRAP = vec3(0.35, 0.30, 0.30);
const float CATCH = 0.22, SHEEN = 0.05, WET = 0.045;
const int CATCH_SHARPNESS = 9, SHEEN_SHARPNESS = 5;  // exponents 512 and 32

vec3 lit_eye(vec3 albedo, vec3 form, vec3 viewer) {
    float along = dot(form, eye_axis);
    vec3 aside = form - along * eye_axis;
    float sine = length(aside);
    float on_iris = along > 0.0 ? 1.0 - smoothstep(LIMBUS - 0.04, LIMBUS + 0.06, sine) : 0.0;
    vec3 spread = aside * mix(1.0, CORNEA, on_iris);
    vec3 cornea = normalize(spread + eye_axis * sqrt(max(1.0 - dot(spread, spread), 0.0)) * (along < 0.0 ? -1.0 : 1.0));
    vec3 matte = normalize(mix(form, eye_axis - BOWL * aside, on_iris));
    vec3 shade = mix(vec3(1.0), light_on(matte, EYE_WRAP) / light_on(vec3(0.0, 0.0, 1.0), EYE_WRAP), EYE_FORM);
    float gloss = CATCH * highlight(cornea, viewer, CATCH_SHARPNESS) + SHEEN * highlight(cornea, viewer, SHEEN_SHARPNESS);
    gloss += WET * smoothstep(0.1, 0.9, reflect(-viewer, cornea).y) + fresnel(cornea, viewer) * 0.1;
    return albedo * shade + gloss * KEY;
}
