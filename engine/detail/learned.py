"""Detail from the network of the open pack."""
WEIGHTS_FILE = "models/skin_detail.safetensors"
CARD_FILE = "models/skin_detail.json"
