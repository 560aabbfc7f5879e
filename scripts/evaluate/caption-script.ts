/** Forty turns between the two characters of the built-in pack. */
const TURNS = [
  "Wake up, Felfel! The sun is already high.",
  "Five more minutes, please. I was dreaming about the sea.",
  "We have a long way to go today.",
  "Where are we going?",
  "To the mountain behind the forest.",
  "That is very far away.",
  "I packed bread, apples and a big bottle of water.",
  "Did you pack the map?",
  "Yes, it is here in my bag.",
  "Good. The last time we walked in circles for three hours.",
  "Look at this incredible landscape!",
  "The river is so clear that I can see the fish.",
  "Be careful, the stones are wet.",
  "I am always careful.",
  "You fell into the water yesterday.",
  "That was not my fault, the bridge was moving.",
  "Can you hear that?",
  "It sounds like an owl.",
  "Owls sleep in the morning.",
  "Then it is an owl that cannot sleep.",
  "The path goes up from here.",
  "My legs are getting tired.",
  "We can rest under the old tree.",
  "May I have an apple now?",
  "Take the red one, it is the sweetest.",
  "Thank you, my friend.",
  "Do you see the cloud over there?",
  "It looks like a dragon with a hat.",
  "I think it is going to rain.",
  "Then we should run!",
  "There is a cave behind the rocks.",
  "It is dark inside.",
  "I have a small lamp.",
  "Wow, the walls are full of crystals!",
  "This is an amazing discovery.",
  "Nobody will believe us.",
  "We can take a picture.",
  "Smile for the camera!",
  "The rain has stopped, and there is a rainbow.",
  "This was the best day of my life.",
];

/** The first `count` turns (they begin again after the last), as a script with tags and names. */
export function script(count: number): { dialogue: string; lines: string[] } {
  const lines = Array.from({ length: count }, (_, i) => TURNS[i % TURNS.length] ?? "");
  const tagged = lines.map((text, i) => (i % 2 === 0 ? `[S1] Temo: ${text}` : `[S2] Felfel: ${text}`));
  return { dialogue: tagged.join("\n"), lines };
}
