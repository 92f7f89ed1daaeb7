"""How a model sees photos: their crops, their faces, and which show the same scene."""
