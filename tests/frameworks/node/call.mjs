// Calls by packages of the npm registry as their users make them: `node call.mjs PACKAGE HOW…`; says what came of each.
import Anthropic from "@anthropic-ai/sdk";
import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import OpenAI from "openai";

const [named, ...hows] = process.argv.slice(2);
const given = { baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY };
const model = "gpt-4o-mini";
const messages = [{ role: "user", content: "What is 1 + 2?" }];
const schema = { type: "object", properties: { one: { type: "integer" }, other: { type: "integer" } } };

async function byOpenAi(how) {
  const client = new OpenAI(given);
  if (how === "responses") return (await client.responses.create({ model, input: "Hi", max_output_tokens: 50 })).output_text;
  if (how === "embed") return String((await client.embeddings.create({ model: "embed", input: "Hi" })).data[0].embedding.length);
  if (how === "stream") {
    let text = "";
    const stream = await client.chat.completions.create({ model, messages, max_tokens: 50, stream: true });
    for await (const part of stream) text += part.choices[0]?.delta?.content ?? "";
    return text;
  }
  const tools = how === "tool" ? [{ type: "function", function: { name: "add", parameters: schema } }] : undefined;
  const { message } = (await client.chat.completions.create({ model, messages, max_tokens: 50, tools })).choices[0];
  return how === "tool" ? message.tool_calls[0].function.name : message.content;
}

async function byLangChain(how) {
  const llm = new ChatOpenAI({ model, maxTokens: 50, apiKey: given.apiKey, configuration: { baseURL: given.baseURL } });
  const asked = [new HumanMessage("What is 1 + 2?")];
  if (how === "stream") {
    let text = "";
    for await (const part of await llm.stream(asked)) text += part.content;
    return text;
  }
  if (how === "tool") {
    const add = tool(({ one, other }) => one + other, { name: "add", description: "Add two numbers.", schema });
    return (await llm.bindTools([add]).invoke(asked)).tool_calls[0].name;
  }
  return (await llm.invoke(asked)).content;
}

async function byAnthropic(how) {
  const client = new Anthropic({ baseURL: given.baseURL.replace(/\/v1$/, ""), apiKey: given.apiKey });
  const asked = { model, max_tokens: 50, messages };
  if (how === "stream") return await client.messages.stream(asked).finalText();
  const tools = how === "tool" ? [{ name: "add", input_schema: schema }] : undefined;
  const { content } = await client.messages.create({ ...asked, tools });
  return content.map((block) => block.text ?? block.name).join("");
}

const callers = { openai: byOpenAi, langchain: byLangChain, anthropic: byAnthropic };
for (const how of hows) {
  try {
    console.log("told:", JSON.stringify({ how, text: await callers[named](how) }));
  } catch (error) {
    console.log("told:", JSON.stringify({ how, error: error.name, status: error.status ?? null, said: String(error.message) }));
  }
}
