#!/bin/sh
# Installs the Debian packages that the tests need. Only root can; anyone else is told what is missing.
set -eu
need=""
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has sshd || need="$need openssh-server"
has ssh || need="$need openssh-client"
has sudo || need="$need sudo"
has podman || need="$need podman netavark"
has runc || need="$need runc"
has debootstrap || need="$need debootstrap"
has mkfs.ext4 || need="$need e2fsprogs"
has qemu-system-x86_64 || need="$need qemu-system-x86"
has qemu-img || need="$need qemu-utils"
has ip || need="$need iproute2"
has busybox || need="$need busybox-static"
has ipmi_sim || need="$need openipmi"
has ipmitool || need="$need ipmitool"
has dash || need="$need dash"
has openssl || need="$need openssl"
has ps || need="$need procps"
has cc || need="$need gcc libc6-dev"
[ -x /usr/lib/nagios/plugins/check_disk ] || need="$need monitoring-plugins-basic"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need="$need postgresql"
[ -n "$need" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "the tests need these Debian packages: $need" >&2
  echo "as root: apt-get install$need" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# a database server of the machine's own is not wanted: the tests start theirs in a temporary folder
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
# shellcheck disable=SC2086  # a list of names
apt-get install -y -qq --no-install-recommends $need >/dev/null
