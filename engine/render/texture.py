"""Pictures and displacement maps as GL textures. All keep row 0 first: texture coordinates run downwards."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import moderngl
import numpy as np

from engine.arrays import ByteArray, FloatArray, check

SMOOTH = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
QUICK = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)  # one mipmap level: a fifth of a frame on software OpenGL
_LAYERS_PER_STEP = 4
LONGEST_PHOTO_PX = 2048
"""Photos are shown at most this large: screens and pictures of results need no more, and memory stays low."""


def picture_texture(ctx: moderngl.Context, image: ByteArray) -> moderngl.Texture:
    """(H, W, 3) uint8 picture that samples as stored: sRGB, to be decoded by the shader; ``smoothen`` adds mipmaps.

    Four bytes to the pixel and no decoding by the sampler: both are several times faster on software OpenGL.
    """
    import cv2

    height, width, _ = check("image", image, (None, None, 3), np.uint8).shape
    texture = ctx.texture((width, height), 4, np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)))
    texture.repeat_x = texture.repeat_y = False
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    return texture


def smoothen(texture: moderngl.Texture) -> None:
    """Make the mipmaps of a picture and use them."""
    texture.build_mipmaps()
    texture.filter = SMOOTH


def fitting_photo(image: ByteArray, longest_px: int = LONGEST_PHOTO_PX) -> ByteArray:
    """The picture itself, or a smaller one whose longer side is ``longest_px``."""
    height, width = image.shape[:2]
    if max(height, width) <= longest_px:
        return image
    import cv2

    scale = longest_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def halved(map_mm: FloatArray) -> FloatArray:
    """(2n, 2n) -> (n, n) float32, the mean of each two by two pixels (of an odd size the last row and column go)."""
    even = map_mm[: map_mm.shape[0] // 2 * 2, : map_mm.shape[1] // 2 * 2]
    return np.float32(0.25) * (even[::2, ::2] + even[::2, 1::2] + even[1::2, ::2] + even[1::2, 1::2])


class MapLayers:
    """Those displacement maps that are in use, in one texture array that grows with them. Owner: BlendTarget."""

    def __init__(self, ctx: moderngl.Context, size: int) -> None:
        """size: of the layers; maps of two or four times that size are halved on their way."""
        self._ctx = ctx
        self._size = size
        self._texture: moderngl.TextureArray | None = None
        self._maps: list[FloatArray | None] = []
        self.uploads = 0
        """Maps sent to the GPU so far, for tests and benches."""

    def __len__(self) -> int:
        """Layers on the GPU, free ones included."""
        return len(self._maps)

    def layer_steps(
        self, wanted: Sequence[FloatArray], alive: Iterable[FloatArray]
    ) -> Generator[None, None, list[int]]:
        """Layer of each wanted map; only maps that are not there yet are uploaded, one in a step.

        Args:
            wanted: (n, n) float32 mm each, compared by identity.
            alive: maps that may be wanted again soon; layers of all others are free to be overwritten.
        """
        keep = {id(one) for one in (*wanted, *alive)}
        self._maps = [one if one is not None and id(one) in keep else None for one in self._maps]
        queue = list({id(one): one for one in wanted if self._layer(one) is None}.values())
        shortage = len(queue) - sum(one is None for one in self._maps)
        if shortage > 0:
            queue = [one for one in self._maps if one is not None] + queue
            self._grow(shortage)
        free = [layer for layer, one in enumerate(self._maps) if one is None]
        for layer, one in zip(free, queue, strict=False):
            self._upload(layer, one)
            yield
        layers = [self._layer(one) for one in wanted]
        return [layer for layer in layers if layer is not None]

    def _layer(self, map_mm: FloatArray) -> int | None:
        return next((layer for layer, one in enumerate(self._maps) if one is map_mm), None)

    def use(self, unit: int) -> None:
        """Bind the array to a texture unit."""
        if self._texture is not None:
            self._texture.use(unit)

    def release(self) -> None:
        """Free the GL texture; safe to call twice."""
        if self._texture is not None:
            self._texture.release()
        self._texture, self._maps = None, []

    def _grow(self, shortage: int) -> None:
        """More layers, all of them empty: a texture cannot grow with its content."""
        steps = -(-shortage // _LAYERS_PER_STEP)
        self._maps = [None] * (len(self._maps) + steps * _LAYERS_PER_STEP)
        if self._texture is not None:
            self._texture.release()
        self._texture = self._ctx.texture_array((self._size, self._size, len(self._maps)), 1, dtype="f4")
        self._texture.filter = (moderngl.NEAREST, moderngl.NEAREST)

    def _upload(self, layer: int, map_mm: FloatArray) -> None:
        if self._texture is None:
            raise ValueError("MapLayers: no texture to upload to")
        pixels = map_mm
        while pixels.shape[0] >= 2 * self._size:
            pixels = halved(pixels)
        check("map_mm", pixels, (self._size, self._size))
        self._texture.write(np.ascontiguousarray(pixels), viewport=(0, 0, layer, self._size, self._size, 1))
        self._maps[layer] = map_mm
        self.uploads += 1
