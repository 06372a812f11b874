import { MAX_JSON_DEPTH } from '#core/json/json-fault.js';
import { isRawNumber } from '#core/json/raw-json.js';

/** What a look over a value tells about the time that checking it can take. */
export interface InstanceSurvey {
  /** The value with doubles in the place of raw numbers, for checking only; the value itself where it has none. */
  value: unknown;
  /** Values in it, itself included. */
  nodes: number;
  /** UTF-16 units of all texts and property names. */
  characters: number;
  longest: number;
}

/** Looks over a JSON value once. Null if it is nested more than 256 levels deep. */
export function surveyInstance(value: unknown): InstanceSurvey | null {
  const survey: InstanceSurvey = { value, nodes: 0, characters: 0, longest: 0 };
  const state = { raw: false };
  if (!look(value, survey, state, 0)) return null;
  if (state.raw) survey.value = withDoubles(value);
  return survey;
}

function look(value: unknown, survey: InstanceSurvey, state: { raw: boolean }, depth: number): boolean {
  survey.nodes += 1;
  if (typeof value === 'string') count(value, survey);
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= MAX_JSON_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!look(item, survey, state, depth + 1)) return false;
    return true;
  }
  if (isRawNumber(value)) {
    state.raw = true;
    return true;
  }
  for (const name of Object.keys(value)) {
    count(name, survey);
    if (!look((value as Record<string, unknown>)[name], survey, state, depth + 1)) return false;
  }
  return true;
}

function count(text: string, survey: InstanceSurvey): void {
  survey.characters += text.length;
  if (text.length > survey.longest) survey.longest = text.length;
}

function withDoubles(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withDoubles);
  if (isRawNumber(value)) return Number(value.rawJSON);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withDoubles(member)]));
}
