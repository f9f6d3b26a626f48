// Per-pixel normals of the displaced surface.
in vec3 surface_position;  // view space mm, before displacement
in vec3 surface_normal;    // view space, smooth
in vec2 surface_uv;
in float surface_outer;    // 0 at the openings for eyes and mouth, 1 away from them
in float surface_openness; // 1 in the open, towards 0 deep inside mouth and sockets

#include "detail.glsl"

const int SKIN = 0, EYE = 1, INSIDE = 2;

#ifdef ONLY_SKIN  // the skin has programs of its own: software OpenGL walks through every branch of a shader
const int part_kind = SKIN;
#else
uniform int part_kind;
#endif
uniform mat4 view_from_model;
uniform float perspective; // 1 = perspective camera at the origin of view space, 0 = parallel along -Z

vec3 to_viewer() {
    return perspective == 0.0 ? vec3(0.0, 0.0, 1.0) : normalize(-surface_position);
}

// The open mask from behind: the skin's back side, and all of the eyes and the mouth while the camera is well behind the
// face. From the side an eye still shows its front, though it lies before the plane that the camera is in.
const float BEHIND = -0.2;

bool seen_from_behind(vec3 viewer) {
    return part_kind == SKIN ? !gl_FrontFacing : dot(viewer, mat3(view_from_model)[2]) < BEHIND;
}

// The smooth normal; linings of mouth and sockets are seen from both sides.
vec3 form_normal() {
    vec3 normal = normalize(surface_normal);
    return part_kind == INSIDE && !gl_FrontFacing ? -normal : normal;
}

struct Relief {
    vec3 normal;      // view space, of the displaced surface
    float height_mm;
    float cavity_mm;  // that the surroundings stand above this pixel: positive in a furrow
};

// Mikkelsen, "Bump mapping unparametrized surfaces on the GPU", 2010: the surface gradient from screen-space derivatives
// of position. Height slopes come from the map itself, and only linear quantities (position, place in the map) are
// differentiated on the screen, so nothing depends on how the chart is turned or mirrored, and no 2x2 blocks appear.
Relief relief(vec3 normal) {
    vec2 at = window_from_uv(surface_uv);
    vec2 across = dFdx(at), up = dFdy(at);
    vec3 position_across = dFdx(surface_position), position_up = dFdy(surface_position);
    if (detail_strength == 0.0) return Relief(normal, 0.0, 0.0);
    vec4 texel = detail_strength * inside_window(at) * texture(detail_map, at);
    vec3 r1 = cross(position_up, normal), r2 = cross(normal, position_across);
    float area = dot(position_across, r1);
    vec3 gradient = dot(texel.yz, across) * r1 + dot(texel.yz, up) * r2;
    vec3 bent = area * normal - gradient;  // both change sign with a mirrored picture of the surface
    return Relief(normalize(area < 0.0 ? -bent : bent), texel.x, texel.w);
}
