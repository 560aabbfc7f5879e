"""Endless training lines: cartoon dialogue from templates, common English from a small grammar, and
word-list lines that teach the spelling of a large vocabulary. All text here is written for this
project; the word list is SCOWL's public-domain american-english-small.

Lines of the evaluation and development sets (../evaluate/sentences.json) are never returned.
"""

import json
import random
import re
from pathlib import Path

from normalise import cardinal, normalise_line

W = lambda text: text.split()
P = lambda text: [part.strip() for part in text.split("|")]

NOUNS = W("""
rocket moon star planet robot dragon castle garden river mountain bridge island forest beach ocean whale dolphin turtle
penguin bear rabbit fox wolf lion tiger monkey elephant giraffe zebra horse pony cow pig sheep goat chicken duck goose
owl eagle parrot pigeon butterfly spider beetle ant bee snail frog lizard snake crocodile shark fish crab octopus shell
tree flower leaf seed apple banana orange lemon pear peach cherry strawberry tomato potato carrot onion pepper pumpkin
bread butter cheese cake cookie pie pizza soup salad sandwich candy chocolate honey juice milk water tea coffee table
chair bed door window wall floor roof kitchen bathroom bedroom house school classroom library museum hospital market shop
street road city village town park playground swing slide ball kite balloon drum guitar piano trumpet song dance story book
page letter word number picture painting pencil paper scissors glue box bag basket bottle cup plate spoon fork knife lamp
candle clock watch phone computer screen camera radio television car bus truck train plane boat ship bicycle wheel engine
helmet suit jacket coat hat shirt shoe boot sock glove scarf umbrella raincoat mask cape crown ring necklace sword shield
treasure map key lock chest coin gold silver diamond stone rock sand mud dust snow ice rain cloud storm wind thunder
lightning rainbow sun sky night morning evening summer winter spring autumn birthday party present surprise secret mystery
puzzle game race prize winner team friend brother sister mother father grandmother grandfather baby child boy girl king
queen prince princess knight wizard witch pirate captain sailor astronaut pilot doctor nurse teacher student farmer baker
painter singer dancer police officer alien monster ghost giant hero villain adventure journey mission discovery invention
machine button laser signal spaceship telescope crater tunnel cave waterfall volcano desert jungle swamp lake pond field
farm barn fence gate tower ladder rope tent campfire torch backpack compass sandwich pancake popcorn whistle shadow footprint
idea plan dream question answer problem mistake lesson voice sound smell color light fire smoke heart hand foot head nose ear
eye mouth tooth finger arm leg knee shoulder back stomach tail wing feather paw fur
""")
PLURALS = W("""
stars planets robots dragons mountains islands dolphins penguins bears rabbits lions monkeys elephants horses birds owls
butterflies spiders frogs snakes sharks crabs trees flowers leaves apples bananas oranges lemons cherries strawberries
tomatoes carrots peppers cookies pancakes sandwiches chairs windows doors houses streets kites balloons drums songs stories
books letters pictures pencils boxes bags bottles cups plates candles clocks cameras cars buses trains boats wheels boots
socks gloves hats masks keys coins diamonds stones rocks clouds waves friends brothers sisters children pirates knights
wizards astronauts aliens monsters ghosts giants heroes buttons lights signals footprints ideas dreams questions answers
problems mistakes lessons tunnels caves volcanoes fields ladders ropes tents secrets games prizes shadows crystals bubbles
""")
ADJECTIVES = W("""
big small little tiny huge giant enormous tall short long wide narrow deep high low old new young fast slow quick loud quiet
bright dark heavy light strong weak hot cold warm cool wet dry clean dirty soft hard smooth rough sharp round square flat
empty full open closed broken brave clever smart silly funny happy sad angry scared tired hungry thirsty sleepy excited
surprised proud shy kind friendly gentle polite rude lazy busy lucky strange weird magic secret hidden lost golden silver
red orange yellow green blue purple pink brown black white gray beautiful ugly pretty lovely wonderful amazing incredible
fantastic terrible horrible awful scary spooky dangerous safe easy difficult simple important special favorite perfect
wrong right correct real fake fresh delicious sweet sour salty spicy bitter sticky slippery shiny fluffy fuzzy furry wooden
""")
VERBS = W("""
find take bring carry open close push pull lift drop throw catch kick hit build break fix clean wash paint draw read write
see watch hear follow chase help save hide show give buy sell eat drink cook bake taste smell touch hold count measure
climb cross explore visit leave enter reach remember forget understand learn teach know like love hate want need use try
start stop finish move turn keep lose steal borrow share choose answer ask call wake hug feed ride drive fly land
""")
PAST = W("""
found took brought carried opened closed pushed pulled lifted dropped threw caught kicked built broke fixed cleaned washed
painted drew read wrote saw watched heard followed chased helped saved hid showed gave bought sold ate drank cooked baked
tasted smelled touched held counted measured climbed crossed explored visited left entered reached remembered forgot
understood learned taught knew liked loved hated wanted needed used tried started stopped finished moved turned kept lost
""")
GOING = W("""
walking running jumping dancing singing talking laughing crying sleeping eating drinking cooking reading writing drawing
painting building climbing swimming flying floating waving pointing looking listening waiting working playing hiding
helping learning thinking dreaming shouting whispering smiling shaking falling spinning rolling sliding skating riding
""")
MOVES = W("walk run jump dance sing talk laugh cry sleep swim fly float wave wait work play hide climb dig crawl spin roll slide skate")
ADVERBS = W("""
quickly slowly quietly loudly carefully happily sadly suddenly gently bravely together alone always never often sometimes
usually really very almost already again soon today tomorrow yesterday now later here there everywhere outside inside
upstairs downstairs forever immediately maybe probably certainly definitely exactly finally
""")
PLACES = P("""
on the moon|at the moon base|on the alien planet|in the forest|on the beach|in the city|in the classroom|in the kitchen|
in the snow|in the desert|under the water|under the sea|behind the door|behind the house|near the river|next to the tree|
over the mountain|across the bridge|in the garden|at the market|at school|at home|in the cave|on the island|on the roof|
inside the box|in my pocket|under the bed|on top of the hill|in the middle of the street|by the window|at the playground|
in the library|at the museum|on the boat|on the train|in the spaceship|around the corner|down the road|up in the sky|
between the rocks|in front of the castle|at the end of the tunnel|beside the lake|above the clouds|through the gate
""")
TIMES = P("""
today|tomorrow|yesterday|tonight|this morning|this evening|last night|next week|last summer|every day|right now|all day|
after school|before lunch|at midnight|in the morning|on monday|on tuesday|on wednesday|on thursday|on friday|on saturday|
on sunday|in january|in february|in march|in april|in may|in june|in july|in august|in september|in october|in november|
in december|in a minute|for a while|a long time ago|once upon a time|in the afternoon|at noon|before dinner|after breakfast
""")
NAMES = P("temo|felfel|temo|felfel|temo|felfel|my friend|captain|professor|doctor|anna|ben|lucy|max|sam|lily|oscar|nina|leo|mia|everyone|guys|buddy")
OPENERS = P("""
wow|oh no|oh|hey|look|listen|wait|come on|hooray|yes|no|okay|well|hmm|hello|hi|good morning|good night|welcome|thank you|
please|sorry|excuse me|watch out|be careful|hurry up|let's go|of course|no way|oh my|really|great|amazing|fantastic|
wonderful|perfect|i know|you know what|guess what|by the way|ready|alright|sure|maybe|not yet|never mind|don't worry
""")
WHO = P("i|you|we|they|he|she|it|my friend|the robot|the old man|everybody|nobody|somebody|your brother|the teacher|temo|felfel")
AUX = P("can|can't|could|couldn't|will|won't|would|wouldn't|should|shouldn't|must|may|might|have to|want to|don't want to|need to|used to|am going to")
COMMON = W("""
the be to of and a in that have i it for not on with he as you do at this but his by from they we say her she or an will
my one all would there their what so up out if about who get which go me when make can like time no just him know take
people into year your good some could them see other than then now look only come its over think also back after use two
how our work first well way even new want because any these give day most us is are was were been being has had did does
said made went got came seen gone done told asked left right every each both few many much more less least another same
different next last early late long ago still yet already once twice never ever always often sometimes again against
between through during before after above below under around across along behind beside beyond within without until
while since although though however whether either neither else instead except perhaps quite rather almost nearly enough
too very really just only even own such someone something anything nothing everything everyone anyone nobody somewhere
anywhere nowhere everywhere himself herself itself myself yourself themselves ourselves whose whom where why here away
down off near far inside outside together apart upon toward thing place world life man woman child hand part week case
point government company number group problem fact eye home month lot right study job word business issue side kind head
house service friend father power hour game line end member law car city community name president team minute idea body
information nothing parent face others level office door health person art war history party result change morning reason
research girl guy moment air teacher force education become leave feel put bring begin keep hold write stand hear let mean
set meet run pay sit speak lie lead read grow lose fall send build understand draw break spend cut rise drive buy wear
choose seem try call need help start show play move live believe happen include continue learn add allow change turn
offer remember love consider appear wait serve die expect stay reach kill remain suggest raise pass sell require report
decide pull explain develop carry drop push touch point cover answer agree fill finish ask laugh cry hope wish guess
forget repeat travel visit arrive return enter jump climb dream promise invite surprise believe belong borrow bake boil
breathe bury catch celebrate clap collect compare complain copy count crash create dance deliver describe disappear
discover divide drag dress earn escape examine exchange fear fetch float fold follow gather guard guide hang hurry imagine
improve invent join knock lend lift listen march mark melt mend mix notice obey order pack plant polish pour practice
prepare press pretend protect prove punch rest rush scream search shout sneeze solve spell spread stare steal sting
stretch swing tease thank tie trust twist unlock wander warn whisper wink wonder worry wrap
going coming making taking looking getting saying thinking asking trying leaving calling working feeling turning running
wanted looked used found gave told called tried asked needed became left felt put brought began kept held wrote stood
heard let meant set met ran paid sat spoke lay led grew lost fell sent built understood broke spent cut rose drove bought
wore chose seemed started showed played moved lived believed happened opened walked talked waited watched stopped
able bad best better big black certain clear common dark dead deep early easy entire final fine free full general great
half happy hard heavy high hot human important large late little local long low main major national natural new nice old
open past personal poor possible public quick quiet ready real recent red rich right safe serious short simple single
small social soft special strange strong sure sweet tall thick thin tiny true usual various warm white whole wide wild
wrong young hundred thousand million second third fourth fifth sixth seventh eighth ninth tenth several zero one two
three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty thirty forty fifty sixty seventy eighty ninety
don't can't won't isn't aren't wasn't weren't doesn't didn't haven't hasn't hadn't couldn't wouldn't shouldn't i'm you're
we're they're he's she's it's that's there's what's who's let's i've you've we've they've i'll you'll we'll they'll he'll
she'll it'll i'd you'd we'd they'd he'd she'd
""")
COLORS = W("red orange yellow green blue purple pink brown black white gray golden silver")

TEMPLATES = P("""
{O}, {N}! look at this {a} {n}!|{O}! the {n} is so {a}!|welcome to our {a} {n}, {N}!|this {n} is {a}, {N}!|what a {a} {n}!|
have you ever seen such a {a} {n}?|i think there is a {n} {p}.|we have to {v} the {n} before {t}.|{N}, can you {v} my {n}?|
where did you {v} that {n}?|why is the {n} so {a}?|the {n} is {g} {p}.|i {d} a {a} {n} {p} {t}.|let's {m} {p} {t}!|
do you want to {m} with me?|{O}, i {d} the {n}!|don't {v} the {n}, it's too {a}!|my {n} is {a} and {a}.|are you {a}?|
i am so {a} {t}!|it's getting {a} {p}.|who {d} my {n}?|how many {s} are there?|there are {k} {s} {p}.|i can see {k} {a} {s}.|
{N} and {N} are {g} {p}.|the {a} {n} and the {a} {n} are {g}.|{w} {x} {v} the {n}.|{w} {x} {v} a {a} {n} {t}.|
if we {v} the {n}, we {x} {v} the {n}.|when the {n} is {a}, the {n} is {a}.|please {v} the {n} {e}.|{O}, what is that {n}?|
this is the {n} that {w} {d} {t}.|i have never {g} been so {a}.|we are {g} {e}, {N}.|stop {g}, {N}!|keep {g}, we are almost there!|
what time is it, {N}?|it is {k} o'clock.|i need {k} {s} and one {n}.|your {n} looks {a} {t}.|the {c} {n} is mine, and the {c} one is yours.|
it was a {a} {n}, but nobody {d} it.|the {n} {d} the {n} {e}.|{O}, that was {a}!|that's not a {n}, that's a {n}!|
is it a {n} or a {n}?|could you please {m} {e}?|my favorite color is {c}.|i like {s} more than {s}.|{w} {x} {m} {p}.|
this is the best {n} in the whole world!|we made it, {N}!|i'm not {a}, i'm just a little bit {a}.|follow me {p}, {N}.|
there's something {a} {p}.|did you hear that {n}?|what are we going to {v} {t}?|i've got a {a} idea!|that's a {a} idea, {N}.|
don't worry, {N}, i {x} help you.|you are my best friend, {N}.|thank you for the {n}, {N}.|you're welcome, {N}.|
let me {v} it.|give me the {n}, please.|hold my {n}!|the {n} doesn't {m} {p}.|it isn't {a} enough.|there's no {n} {p}.|
once there was a {a} {n} who lived {p}.|every {n} {p} is {a}.|some {s} are {a}, and some are {a}.|all the {s} are gone!|
one, two, three, go!|i'll be right back.|see you {t}, {N}.|nice to meet you, {N}.|how are you {t}?|i'm fine, thank you.|
what's your name?|my name is {N}.|where are you from?|how old are you?|i am {k} years old.|what do you think?|i don't know.|
i don't think so.|you're right.|you're wrong.|it's my turn.|it's your turn now.|we won!|we lost.|are we there yet?|
turn left at the {n}.|turn right after the {n}.|go straight ahead.|push the {c} button.|pull the {n} {e}.|mission complete!|
the {n} costs {k} dollars.|call me at {k} {k} {k} {k}.|it weighs {k} pounds.|the temperature is {k} degrees.|chapter {k}.|
{w} was {g} when the {n} {d} {e}.|after {g} all day, we were {a}.|before you {v} it, {v} the {n}.|we should {v} it {e}.|
that {n} belongs to {N}.|nobody knows why the {n} is {a}.|it happened {t} {p}.|they said the {n} was {a}.|she told me about the {n}.|
he wants to be a {n}.|he lives {p} with {k} {s}.|her {n} is as {a} as a {n}.|his {n} was full of {s}.|our {n} has {k} {s}.|
the {n} of the {n} is {a}.|without the {n} we can't {v} anything.|{O}, {O}!|{O}, {N}.|{O}, {N}, {O}!|because it's {a}, that's why.
""")


class Sentences:
    def __init__(self, seed: int, words: Path | None, held_out: Path | None = None):
        self.random = random.Random(seed)
        path = held_out or Path(__file__).parent.parent / "evaluate" / "sentences.json"
        data = json.loads(path.read_text())
        self.held_out = {normalise_line(s["text"]) for part in ("test", "dev") for s in data[part]}
        self.words = NOUNS + ADJECTIVES
        if words and words.exists():
            good = re.compile(r"(?=.*[aeiouy])[a-z]{2,13}(?:'[a-z]{1,2})?$")
            self.words = [w for w in words.read_text().split() if good.match(w) and (not w.endswith("'s") or hash_of(w) % 8 == 0)]

    def _fill(self, template: str) -> str:
        pick = self.random.choice
        tables = {
            "O": OPENERS, "N": NAMES, "n": NOUNS, "s": PLURALS, "a": ADJECTIVES, "v": VERBS, "d": PAST, "g": GOING,
            "m": MOVES, "e": ADVERBS, "p": PLACES, "t": TIMES, "w": WHO, "x": AUX, "c": COLORS,
        }  # fmt: skip

        def value(match: re.Match) -> str:
            if match[1] == "k":
                return cardinal(self._amount())
            # One content word in four comes from the long list, so that spelling generalises.
            if match[1] in "nadvs" and self.random.random() < 0.25:
                return pick(self.words)
            return pick(tables[match[1]])

        text = re.sub(r"\{(\w)\}", value, template)
        return re.sub(r"\ba (?=[aeio])", "an ", text)

    def _amount(self) -> int:
        draw = self.random.random()
        top = 12 if draw < 0.5 else 100 if draw < 0.8 else 1000 if draw < 0.93 else 1_000_000
        return self.random.randrange(top)

    def _word_line(self) -> str:
        """Random words, no grammar: half common ones, half from the long list (short ones more often)."""
        r = self.random
        words = []
        for _ in range(r.randint(3, 10)):
            word = r.choice(COMMON)
            if r.random() < 0.5:
                word = min(r.choice(self.words), r.choice(self.words), key=len)
            words.append(word + ("," if r.random() < 0.08 else ""))
        return " ".join(words) + r.choice([".", ".", ".", "!", "?"])

    def line(self) -> str:
        """One normalised line of 1 to about 16 words."""
        while True:
            draw = self.random.random()
            if draw < 0.40:
                text = self._word_line()
            else:
                text = self._fill(self.random.choice(TEMPLATES))
                if draw > 0.85 and len(text) < 50:
                    text += " " + self._fill(self.random.choice(TEMPLATES))
            text = normalise_line(text)
            if text and len(text) <= 110 and text not in self.held_out:
                return text


def hash_of(word: str) -> int:
    return sum((i + 1) * ord(c) for i, c in enumerate(word))
