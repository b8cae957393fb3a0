#!/bin/sh
# Installs what the tests need from Debian where it is missing and permitted; says so plainly otherwise.
set -eu
wanted=""
command -v ffmpeg >/dev/null || wanted="$wanted ffmpeg"
command -v srt-live-transmit >/dev/null || wanted="$wanted srt-tools"
command -v chromium >/dev/null || wanted="$wanted chromium"
command -v setpriv >/dev/null || wanted="$wanted util-linux"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql"
[ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || wanted="$wanted nginx libnginx-mod-rtmp"
[ -z "$wanted" ] && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
else
  echo "The tests need these Debian packages:$wanted" >&2
  echo "Install them as root: apt-get install$wanted" >&2
  exit 1
fi
