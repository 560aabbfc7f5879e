"""What the little world holds: places, clothes, actions, and the words people use for them."""

# place: (phrases with a preposition, bare phrases)
PLACES = {
    "moon_base": (["on the moon base", "at a moon base", "on the moon", "at the lunar base", "in a lunar colony", "on the lunar surface", "on moon base"],
                  ["moon base", "lunar base", "the moon", "moon station"]),
    "alien_planet": (["on an alien planet", "on a strange planet", "in an alien world", "on a distant planet", "on another planet", "in an alien landscape", "exploring an alien planet"],
                     ["alien planet", "alien world", "strange planet", "alien landscape"]),
    "forest": (["in the forest", "in a forest", "in the woods", "among the trees", "in a green forest", "in the jungle", "in a deep forest"],
               ["forest", "woods", "jungle", "trees"]),
    "beach": (["on the beach", "at the beach", "by the sea", "on a sandy beach", "at the seaside", "on a tropical beach", "near the ocean"],
              ["beach", "seaside", "sea shore", "tropical beach"]),
    "city": (["in the city", "in a city", "on a city street", "in the town", "downtown", "in a big city", "among skyscrapers"],
             ["city", "city street", "city skyline", "town"]),
    "classroom": (["in the classroom", "in a classroom", "at school", "in class", "in the school", "in front of the blackboard"],
                  ["classroom", "school", "blackboard"]),
    "kitchen": (["in the kitchen", "in a kitchen", "in a cosy kitchen", "in the restaurant kitchen", "near the stove", "in their kitchen"],
                ["kitchen", "cooking room", "home kitchen"]),
    "snow": (["in the snow", "on a snowy mountain", "in a snowy land", "in winter", "at the north pole", "in the arctic", "on the ice"],
             ["snow", "snowy mountain", "winter landscape", "arctic"]),
    "desert": (["in the desert", "in a desert", "on the sand dunes", "in the sahara", "among the dunes", "near the pyramids", "in a hot desert"],
               ["desert", "sand dunes", "sahara", "pyramids"]),
    "underwater": (["under water", "underwater", "under the sea", "at the bottom of the ocean", "in the deep sea", "in a coral reef", "below the waves"],
                   ["underwater", "coral reef", "sea floor", "ocean floor"]),
    "space": (["in space", "in outer space", "in the galaxy", "among the stars", "in deep space", "in orbit", "floating in space"],
              ["space", "outer space", "galaxy", "the cosmos"]),
    "park": (["in the park", "in a park", "in a meadow", "in the garden", "on the grass", "on a green hill", "at the playground"],
             ["park", "meadow", "garden", "green field"]),
}
PLACE_NAMES = list(PLACES)

CLOTHES = {
    "casual": ["in casual clothes", "wearing a t-shirt", "in everyday clothes", "in a t-shirt"],
    "space_suit": ["in space suit", "in a space suit", "wearing a space suit", "in a spacesuit", "dressed as an astronaut", "in an astronaut suit"],
    "raincoat": ["in a raincoat", "wearing a yellow raincoat", "in raincoat", "in a yellow raincoat"],
    "adventure": ["in adventure gear", "wearing adventure gear", "dressed as an explorer", "in explorer clothes", "in safari clothes"],
    "school": ["in school clothes", "in a school uniform", "wearing a school uniform", "in school uniform"],
    "swimwear": ["in swimwear", "in a swimsuit", "in swimming trunks", "wearing swimwear"],
    "winter_coat": ["in a winter coat", "wearing a winter coat", "in a warm coat", "in winter clothes", "with a scarf and a warm hat"],
    "pyjamas": ["in pyjamas", "wearing pyjamas", "in pajamas", "in a nightgown"],
    "superhero": ["in a superhero costume", "wearing a cape", "dressed as a superhero", "in superhero costume"],
    "chef": ["in a chef uniform", "dressed as a cook", "wearing a chef hat", "in chef clothes"],
}
CLOTHES_NAMES = list(CLOTHES)

# What somebody wears when the prompt does not say.
DEFAULT_CLOTHES = {
    "moon_base": "space_suit", "alien_planet": "space_suit", "space": "space_suit", "forest": "adventure", "desert": "adventure",
    "beach": "swimwear", "underwater": "swimwear", "snow": "winter_coat", "classroom": "school", "kitchen": "chef", "city": "casual", "park": "casual",
}

# action: (gerunds, third person singular)
ACTIONS = {
    "stand": (["standing", "standing still", "posing", "waiting", "smiling"], ["stands", "waits", "smiles", "poses"]),
    "wave": (["waving", "waving hello", "waving goodbye", "greeting", "saying hello"], ["waves", "waves hello", "greets us", "says hello"]),
    "walk": (["walking", "exploring", "strolling", "going for a walk", "wandering", "travelling"], ["walks", "explores", "strolls", "wanders"]),
    "run": (["running", "racing", "sprinting", "running fast", "hurrying"], ["runs", "races", "sprints", "hurries"]),
    "jump": (["jumping", "hopping", "leaping", "jumping up and down", "bouncing"], ["jumps", "hops", "leaps", "bounces"]),
    "dance": (["dancing", "dancing happily", "dancing to music", "grooving", "playing"], ["dances", "grooves", "plays"]),
    "talk": (["talking", "speaking", "chatting", "telling a story", "explaining", "having a conversation"], ["talks", "speaks", "chats", "tells a story"]),
    "point": (["pointing", "pointing at something", "working", "showing something", "pointing the way"], ["points", "shows something", "works"]),
    "float": (["floating", "flying", "drifting", "swimming", "space walking", "hovering"], ["floats", "flies", "drifts", "swims", "hovers"]),
    "cheer": (["cheering", "celebrating", "raising both arms", "shouting hooray", "clapping"], ["cheers", "celebrates", "raises both arms"]),
}
ACTION_NAMES = list(ACTIONS)
DEFAULT_ACTION = {"space": "float", "underwater": "float"}

KINDS = ["temo", "felfel", "child"]
SUBJECTS = {
    "temo": ["temo", "temo", "temo", "temo character", "temo the boy", "the boy temo", "little temo", "happy temo", "cartoon temo", "temo cartoon character"],
    "felfel": ["felfel", "felfel", "felfel", "felfel character", "felfel the pepper", "the red pepper felfel", "little felfel", "happy felfel", "cartoon felfel", "felfel cartoon character"],
    "child": ["a child", "a boy", "a girl", "a kid", "a young child", "a cartoon character", "somebody", "a person", "a cartoon kid", "the main character"],
}
PAIR_CHILD = ["two children", "two kids", "a boy and a girl", "two friends", "two characters", "children"]
SIDES = {"left": ["on the left", "on left", "on the left side", "at left"], "right": ["on the right", "on right", "on the right side", "at right"], "center": ["in the middle", "in the center"]}
NIGHT = {True: ["at night", "in the night", "under the stars", "by night", "at midnight", "night time", "in moonlight"], False: ["during the day", "in daylight", "on a sunny day", "in the morning", "by day", "in bright sunshine"]}
QUALITY = [
    "epic lighting", "epic adventure", "ultra HD detail", "cartoon style", "high quality", "4k", "masterpiece", "colorful", "cinematic", "vibrant colors",
    "best quality", "animated movie", "smooth animation", "detailed background", "beautiful", "cute", "funny", "pixar style", "soft light", "children's cartoon",
    "2d animation", "friendly mood", "dramatic lighting", "8k", "happy mood", "highly detailed", "clean lines", "fun for kids",
]
NOISE = [
    "with a dragon", "near a castle", "holding an umbrella", "with a balloon", "and a dog", "next to a robot", "with a magic wand", "like in a dream", "a treasure map",
    "with sparkles", "on a journey", "for science", "the big mission", "a secret", "with music", "big discovery", "with an old friend", "the best day ever", "a story about friendship",
    "flags", "rockets", "butterflies", "with a guitar", "under a rainbow", "steampunk", "watercolor", "birthday party", "looking surprised", "looking happy", "laughing", "thinking",
    "very excited", "curious", "brave", "with a bicycle", "and a cat", "holding a book", "eating ice cream", "in style of a comic", "low angle", "close up", "wide shot", "full body",
]
NEGATIVE = ["", "", "", "", "blurry", "low quality", "bad quality, blurry", "distorted, deformed", "worst quality, low resolution, blurry", "ugly, watermark, text", "bad anatomy, extra limbs", "blurry, low quality, distorted"]
EXTRA_WORDS = "the a of and with in on at to from into over under behind between through around up down big small tiny huge old new young red green blue yellow orange purple pink white black brown grey gold silver bright dark warm cold hot happy sad angry surprised scared brave funny strange magic house tree flower river lake mountain island bridge road train car boat ship rocket robot monster dragon castle king queen princess pirate ninja wizard witch doctor teacher farmer police fire water wind storm rain cloud sun moon star rainbow book pencil ball toy game music song party cake apple banana carrot tomato bread cheese soup tea milk cat dog horse bird fish whale shark turtle elephant lion tiger monkey rabbit bear fox summer winter spring autumn morning evening today tomorrow hello goodbye friend friends family mother father brother sister look looking see watch find found help make build play eat drink sleep read write sing open close lost treasure map mission adventure journey discovery technology science space ship hero cape hat shirt shoes glasses scene character characters animation cartoon video style quality detail lighting both clearly visible together epic ultra hd they their he she his her is are was one two three four five".split()
