#!/usr/bin/env bash
# What becomes of a SOCKS5 server in a cloud, here microsocks, when an ISP freezes
# every flow to it after 16 KiB? Needs paperplane, microsocks and curl in PATH.
set -euo pipefail
cd "$(dirname "$0")"
fail() { echo "freeze.sh: $1" >&2; exit 1; }

for program in paperplane microsocks curl; do
  command -v "$program" >/dev/null || fail "needs $program in PATH"
done

# The first time, make a world and run this once more inside it, at mts.
if [[ ${1:-} != inside ]]; then
  exec paperplane world run --scenario ./small.yaml --isp mts -- bash freeze.sh inside
fi

# A machine in the cloud, with somebody else's proxy on it. It must bind the
# machine's own address.
server=$(paperplane world launch --cloud amazon --bare)
paperplane world exec --host "$server" -- microsocks -i "$server" -p 1080 2>/dev/null &
proxy=$!

# How many of so many bytes come through it, until nothing more does for 10 s.
# The server resolves the name.
fetch() {
  curl --silent --connect-timeout 10 --speed-time 10 --speed-limit 1 --socks5-hostname "$server:1080" \
    --output /dev/null --write-out '%{size_download}' "http://site.lab/bytes/$1" || true
}

until [[ $(fetch 1) == 1 ]]; do
  kill -0 "$proxy" 2>/dev/null || fail "the proxy has ended"
  ((SECONDS < 60)) || fail "the proxy does not answer"
  sleep 0.1
done

echo "before:       $(fetch 100000) of 100000 bytes"
rule=$(paperplane world block "$server" --isp mts --do freeze:16KiB)
echo "frozen:       $(fetch 100000) of 100000 bytes"
echo "and a check:  $(fetch 1000) of 1000 bytes"
paperplane world ledger

paperplane world unblock "$rule" --isp mts
echo "after:        $(fetch 100000) of 100000 bytes"
