"""nginx twice: as the provider that answers at once, and as the floor (a plain proxy_pass)."""

from pathlib import Path
from typing import Final

from tests.bench.processes import Running, start, wait_for_port

ANSWER: Final = (
    '{"id":"chatcmpl-bench","object":"chat.completion","created":1790000000,"model":"bench-unary","choices":[{"index":0,'
    '"message":{"role":"assistant","content":"A flyball governor keeps an engine from running away: as the shaft spins '
    'faster, two weights swing out and close the valve; as it slows, they sink and open it again.","refusal":null,'
    '"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":42,'
    '"total_tokens":252,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":'
    '{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
    '"service_tier":"default","system_fingerprint":"fp_bench"}'
)

_COMMON: Final = """
daemon off; user root; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; client_body_buffer_size 256k;
  {servers}
}}
"""

_PROVIDER: Final = """
server {{
  listen 127.0.0.1:{port} backlog=1024;
  location / {{
    default_type application/json; add_header x-request-id req_bench; add_header openai-processing-ms 12;
    return 200 '{answer}';
  }}
}}
"""

_FLOOR: Final = """
upstream unary {{ server 127.0.0.1:{unary}; keepalive 256; }}
upstream stream {{ server 127.0.0.1:{stream}; keepalive 256; }}
server {{
  listen 127.0.0.1:{port} backlog=1024; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off;
  location / {{ proxy_pass http://unary; }}
  location /s/ {{ proxy_pass http://stream/; }}
}}
"""


def start_provider(folder: Path, port: int, core: int, answer: str = ANSWER) -> Running:
    """The provider of unary answers, which are all this one."""
    return _start(folder / "nginx-provider", _PROVIDER.format(port=port, answer=answer), port, core)


def start_floor(folder: Path, port: int, unary: int, stream: int, core: int) -> Running:
    """The plain proxy; `/s/…` goes to the streaming provider."""
    return _start(folder / "nginx-floor", _FLOOR.format(port=port, unary=unary, stream=stream), port, core)


def _start(folder: Path, servers: str, port: int, core: int) -> Running:
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_COMMON.format(folder=folder, servers=servers))
    running = start(["nginx", "-c", str(file), "-p", str(folder)], core=core, log=folder / "log")
    wait_for_port(port, running)
    return running
