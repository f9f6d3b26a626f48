"""What the expressions are, one line each, for those whose names do not say enough."""

from __future__ import annotations

KEY_TIPS: dict[str, str] = {
    "neutral": "The face at rest: all sliders at zero",
    "smile": "Both corners of the mouth drawn up and outwards",
    "mouth_stretch": "The jaw dropped, the mouth wide open",
    "anger": "The brows drawn down, the corners of the mouth a little lowered",
    "jaw_left": "The lower jaw moved to the person's own left",
    "jaw_right": "The lower jaw moved to the person's own right",
    "jaw_forward": "The lower jaw pushed forward",
    "mouth_left": "Both lips drawn to the person's own left",
    "mouth_right": "Both lips drawn to the person's own right",
    "dimpler": "The corners of the mouth drawn back into the cheeks",
    "chin_raiser": "The lips pushed up, the lower one rolled in",
    "lip_puckerer": "The lips drawn together and forward, as for a kiss",
    "lip_funneler": "The lips opened into a funnel, as for a long 'oh'",
    "sadness": "The corners of the mouth drawn down, the brows lowered halfway",
    "lip_roll": "Both lips rolled in over the teeth, the jaw a little open",
    "grin": "A smile with raised cheeks and a raised upper lip",
    "cheek_blowing": "Both cheeks blown up",
    "eye_closed": "Both eyes closed",
    "brow_raiser": "The brows raised, the eyes looking up",
    "brow_lower": "Both brows drawn down",
}
"""By the name of the key expression."""

SHAPE_TIPS: dict[str, str] = {
    "mouthClose": "Closes the lips over an opened jaw, so raise 'Jaw open' with it.",
}
"""By ARKit name."""
