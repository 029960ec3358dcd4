// One call by the Vercel AI SDK as its users make it: `node call.mjs PROVIDER HOW`; says on stdout what came of it.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";

const [provider, how] = process.argv.slice(2);
const given = { baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY };
const models = {
  openai: () => createOpenAI(given).chat("gpt-4o-mini"),
  responses: () => createOpenAI(given).responses("gpt-4o-mini"),
  compatible: () => createOpenAICompatible({ ...given, name: "flyball" })("gpt-4o-mini"),
};
const asked = { model: models[provider](), prompt: "Say hello.", maxOutputTokens: 20 };

async function streamed() {
  let failed;
  const stream = streamText({ ...asked, onError: ({ error }) => { failed = error; } });
  let text = "";
  for await (const part of stream.textStream) text += part;
  if (failed) throw failed;
  return text;
}

try {
  const text = how === "stream" ? await streamed() : (await generateText(asked)).text;
  console.log("told:", JSON.stringify({ text }));
} catch (error) {
  const last = error.lastError ?? error;
  console.log("told:", JSON.stringify({ error: error.name, status: last.statusCode ?? null, said: last.message ?? "" }));
}
