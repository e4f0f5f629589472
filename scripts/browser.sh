#!/bin/sh
# Look for a Chromium for the report's browser tests. Install the distribution's own when that
# needs no question asked (root, apt-get); otherwise say once what is missing. Never fails:
# without a browser those tests are skipped and say so.
set -u

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "browser.sh: installing chromium through apt-get, for the browser tests"
    export DEBIAN_FRONTEND=noninteractive
    if { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1; then
        exit 0
    fi
fi

echo "browser.sh: no Chromium found; the browser tests will be skipped (Debian: apt-get install chromium)"
