"""One call by crewai as its users make it: `python call_crewai.py HOW`; says on stdout what came of it."""

import json
import sys

from crewai import LLM, Agent, Crew, Task


def main(how: str) -> str:
    """The text of the answer."""
    llm = LLM(model="openai/gpt-4o-mini", max_tokens=20, stream=how == "stream")  # key and address: the environment
    if not how.startswith("crew"):
        return str(llm.call("Say hello."))
    patience = {"max_retry_limit": 0} if how == "crew-once" else {}
    agent = Agent(role="greeter", goal="Greet.", backstory="You greet.", llm=llm, **patience)
    task = Task(description="Say hello.", expected_output="A greeting.", agent=agent)
    return str(Crew(agents=[agent], tasks=[task]).kickoff())


if __name__ == "__main__":
    try:
        told = {"text": main(sys.argv[1])}
    except Exception as error:  # noqa: BLE001  whatever a framework raises is what is asked for
        told = {"error": type(error).__name__, "said": str(error)}
    print("\ntold:", json.dumps(told))
