const ONES = (
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
  "seventeen eighteen nineteen"
).split(" ");
const TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const SCALES = ["", "thousand", "million", "billion", "trillion"];
const ORDINALS: Readonly<Record<string, string>> = {
  one: "first",
  two: "second",
  three: "third",
  five: "fifth",
  eight: "eighth",
  nine: "ninth",
  twelve: "twelfth",
};

/** 0 to 999,999,999,999,999 in words, American form: no "and", no hyphens. */
export function cardinal(number: number): string {
  if (number < 20) return ONES[number] ?? "";
  if (number < 100) {
    const rest = number % 10;
    return `${TENS[Math.floor(number / 10)]}${rest === 0 ? "" : ` ${ONES[rest]}`}`;
  }
  if (number < 1000) {
    const rest = number % 100;
    return `${ONES[Math.floor(number / 100)]} hundred${rest === 0 ? "" : ` ${cardinal(rest)}`}`;
  }
  const groups: string[] = [];
  let left = number;
  for (let scale = 0; left > 0; scale += 1) {
    const group = left % 1000;
    left = Math.floor(left / 1000);
    if (group > 0) groups.unshift(cardinal(group) + (scale === 0 ? "" : ` ${SCALES[scale]}`));
  }
  return groups.join(" ");
}

/** Digits read one by one. */
export function spellDigits(text: string): string {
  return [...text].map((digit) => ONES[Number(digit)] ?? "").join(" ");
}

/** Digits as a number, one by one when there are more than 15 of them or a leading zero. */
export function integer(text: string): string {
  const spelled = text.length > 15 || (text.length > 1 && text.startsWith("0"));
  return spelled ? spellDigits(text) : cardinal(Number(text));
}

export function ordinal(number: number): string {
  const words = cardinal(number).split(" ");
  const last = words.pop() ?? "";
  const tail = ORDINALS[last] ?? (last.endsWith("y") ? `${last.slice(0, -1)}ieth` : `${last}th`);
  return [...words, tail].join(" ");
}

/** 1100 to 1999 and 2010 to 2099 in pairs, 2000 to 2009 as a cardinal. */
export function year(number: number): string {
  if (number >= 2000 && number <= 2009) return cardinal(number);
  const century = cardinal(Math.floor(number / 100));
  const low = number % 100;
  if (low === 0) return `${century} hundred`;
  return `${century} ${low < 10 ? `oh ${ONES[low]}` : cardinal(low)}`;
}

/** Plural of a decade's last word: twenties, eighteen hundreds. */
export function plural(word: string): string {
  if (word.endsWith("y")) return `${word.slice(0, -1)}ies`;
  return word + (word.endsWith("x") ? "es" : "s");
}
