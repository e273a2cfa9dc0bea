"""GLSL that draws the fluid; renderer.py says what goes in and out.

Light and shadow are smooth and found at a few pixels a texel, in eight bits. The pass over single pixels touches the
cells near edges, all others are an enlarged copy: on software OpenGL a frame takes 17 instead of 40 ms.

Of N phases N - 1 fractions are carried, and the last is what they leave of 1: the first three share a texture with the
solids, the next four, where there are so many, have a second one. `source` puts N in, so that loops unroll.

A place in the picture is `uv`, 0..1; `cells` and `domain` are the same place in the texture of fractions, which covers
the cells that are seen and a few more, and in the whole domain.
"""

VERTEX = """#version 330 core
layout(location = 0) in vec2 place;
uniform vec4 to_cells, to_domain;  // offset, scale
out vec2 uv, cells, domain;
void main() {
    uv = place;
    cells = to_cells.xy + to_cells.zw * place;
    domain = to_domain.xy + to_domain.zw * place;
    gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
}
"""

# What a place holds: the cubic B-spline of coefficients, each axis in two fetches between two cells.
FRACTIONS = """
#define WIDE (PHASES > 4)
uniform float heaviness[PHASES];  // of every phase, 0 (lightest) to 1
struct Mix { vec4 first, more; };  // three fractions and solid, four fractions
float fraction(Mix m, int k) { return k < 3 ? m.first[min(k, 2)] : m.more[max(k - 3, 0)]; }

#define SPLINE(image) (3.0 * ( \\
    g0.y * (g0.x * texture(image, low) + g1.x * texture(image, vec2(high.x, low.y))) + \\
    g1.y * (g0.x * texture(image, vec2(low.x, high.y)) + g1.x * texture(image, high))) - 1.0)

Mix mix_at(vec2 place, sampler2D fine, sampler2D fine_more) {
    vec2 size = vec2(textureSize(fine, 0)), at = place * size - 0.5, first = floor(at), t = at - first, s = 1.0 - t;
    vec2 w0 = s * s * s / 6.0, w1 = 2.0 / 3.0 - t * t * (1.0 - 0.5 * t), w3 = t * t * t / 6.0;
    vec2 g0 = w0 + w1, g1 = 1.0 - g0;
    vec2 low = (first - 0.5 + w1 / g0) / size, high = (first + 1.5 + w3 / g1) / size;
#if WIDE
    return Mix(SPLINE(fine), SPLINE(fine_more));
#else
    return Mix(SPLINE(fine), vec4(0.0));
#endif
}
"""

# What an edge is: nothing but a change of colour where it is drawn later, and else as wide as a pixel.
HARD = """
float pixels(float level) { return level * 1e4; }
"""
SHARP = """
// signed distance to the zero of a level
float pixels(float level) { return level / max(length(vec2(dFdx(level), dFdy(level))), 1e-4); }
"""

# The colour of a place: phases, and solids over them.
PAINTED = (
    FRACTIONS
    + """
in vec2 uv, cells, domain;
uniform vec3 phase_color[PHASES];
uniform vec3 stone;
uniform vec4 strength;  // of light, shade, shadow, rim
uniform float rim;  // width of the line along edges, in pixels

// every fraction, and by how much it exceeds its strongest rival
void contest(Mix m, out float f[PHASES], out float lead[PHASES]) {
    float last = 1.0, first = -1.0, second = -1.0;
    for (int k = 0; k < PHASES; ++k) {
        f[k] = k < PHASES - 1 ? fraction(m, k) : last;
        last -= f[k];
        second = max(second, min(first, f[k]));
        first = max(first, f[k]);
    }
    for (int k = 0; k < PHASES; ++k) lead[k] = f[k] < first ? f[k] - first : f[k] - second;
}

// l: faces towards the light, faces away from it, heaviness around, light on solids
vec3 body(vec3 c, float heavy, vec4 l, float depth) {
    float line = smoothstep(0.3, 1.0, depth) * (1.0 - smoothstep(0.55 * rim, rim, depth));
    vec3 inside = c + strength.x * l.r * (1.0 - c) * (0.3 + 0.7 * c);
    inside = mix(inside, vec3(1.0), strength.w * line * smoothstep(0.05, 0.6, l.r));
    inside *= 1.0 - vec3(1.1, 1.0, 0.8) * strength.y * l.g;
    return mix(c, inside, heavy) * (1.0 - strength.z * smoothstep(0.06, 0.7, l.b - heavy));
}

vec3 painted(Mix m, vec4 light) {
    float f[PHASES], lead[PHASES];
    contest(m, f, lead);
    float total = 1e-4, heavy = 0.0, depth = 0.0;
    vec3 color = vec3(0.0);
    for (int k = 0; k < PHASES; ++k) {  // phases are mixed within a pixel, and then shaded once
        float inside = pixels(lead[k]), share = clamp(inside + 0.5, 0.0, 1.0);
        total += share;
        color += share * phase_color[k];
        heavy += share * heaviness[k];
        depth = max(depth, inside);
    }
    vec3 fluid = body(color / total, heavy / total, light, depth);
    float wall = pixels(m.first.a - 0.5);
    vec3 rock = stone + 0.55 * (light.a - 0.5);
    return mix(fluid, rock, clamp(wall + 0.5, 0.0, 1.0));
}
"""
)

# First pass, at the texels: how the light falls, and what that looks like where no edge is near.
LIGHT = (
    HARD
    + PAINTED
    + """
layout(location = 0) out vec4 light;
layout(location = 1) out vec4 plain;
uniform sampler2D fine, fine_more, around;
uniform vec2 reach;  // of the light, in the domain

const vec2 SUN = vec2(-0.5, 0.866);  // from the upper left, as on a drawing board

void main() {
    vec3 here = texture(around, domain).xyz;  // heaviness nearby and further around, solids
    vec3 sunny = texture(around, domain + SUN * reach).xyz, away = texture(around, domain - SUN * reach).xyz;
    vec3 rise = away - sunny;
    float facing = 0.75 * rise.x + 0.5 * rise.y;
    float above = dot(vec4(here.xy, sunny.xy), vec4(0.3, 0.2, 0.3, 0.2));
    light = vec4(clamp(facing, 0.0, 1.0), clamp(-facing, 0.0, 1.0), above, 0.5 + 0.5 * clamp(rise.z, -1.0, 1.0));
#if WIDE
    Mix m = Mix(3.0 * texture(fine, cells) - 1.0, 3.0 * texture(fine_more, cells) - 1.0);
#else
    Mix m = Mix(3.0 * texture(fine, cells) - 1.0, vec4(0.0));
#endif
    plain = vec4(painted(m, light), 1.0);
}
"""
)

# Second pass, the pixels near edges.
PAINT = (
    SHARP
    + PAINTED
    + """
out vec4 color;
uniform sampler2D fine, fine_more, light;

void main() { color = vec4(painted(mix_at(cells, fine, fine_more), texture(light, uv)), 1.0); }
"""
)

# A field under its colour map, every pixel: at the centre of a cell it has that cell's value.
FIELD = """
in vec2 uv, cells, domain;
out vec4 color;
uniform sampler2D values, colormap;

void main() { color = texture(colormap, vec2((texture(values, cells).r * 255.0 + 0.5) / 256.0, 0.5)); }
"""

# Over a field: lines where phases meet, and solids.
OUTLINE = (
    SHARP
    + PAINTED
    + """
out vec4 color;
uniform sampler2D fine, fine_more, under;

void main() {
    Mix m = mix_at(cells, fine, fine_more);
    float f[PHASES], lead[PHASES];
    contest(m, f, lead);
    float line = 0.0;
    for (int k = 0; k < PHASES; ++k) line = max(line, 1.0 - clamp(abs(pixels(lead[k])) - 0.4, 0.0, 1.0));
    vec3 tone = texture(under, uv).rgb;
    vec3 shown = mix(tone, vec3(dot(tone, vec3(0.3, 0.6, 0.1)) > 0.5 ? 0.0 : 1.0), 0.35 * line);
    color = vec4(mix(shown, stone, clamp(pixels(m.first.a - 0.5) + 0.5, 0.0, 1.0)), 1.0);
}
"""
)

# Capsules, each with a square of its own: drops, bubbles, streamlines.
CAPSULE_VERTEX = """#version 330 core
layout(location = 0) in vec2 place;  // in the picture, 0..1
layout(location = 1) in vec4 shape;  // from its centre along and across [pixels], half length, radius [pixels]
layout(location = 2) in vec4 tint;
out vec4 capsule, color_of;
void main() {
    capsule = shape;
    color_of = tint;
    gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
}
"""
CAPSULE = """
in vec4 capsule, color_of;
out vec4 color;
void main() {
    float away = length(vec2(max(abs(capsule.x) - capsule.z, 0.0), capsule.y)) - capsule.w;
    color = vec4(color_of.rgb, color_of.a * clamp(0.5 - away, 0.0, 1.0));
}
"""


def source(shader: str, phases: int) -> str:
    """The source of a fragment shader for this number of phases."""
    return f"#version 330 core\n#define PHASES {phases}\n{shader}"
