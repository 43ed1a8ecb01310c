#!/usr/bin/env bash
# Makes what compose.yaml reads: passwords, a self-signed certificate, and the user that may read them. Files that exist stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
umask 077
host=${TUNER_HOST:-localhost}

mkdir -p secrets
for name in database-password dashboard-password; do
    [[ -s secrets/$name ]] || openssl rand -hex 20 >"secrets/$name"
done
printf 'database:5432:studies:tuner:%s\n' "$(<secrets/database-password)" >secrets/pgpass
if [[ ! -s secrets/dashboard-key ]]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
        -out secrets/dashboard-certificate -keyout secrets/dashboard-key 2>/dev/null
fi

# libpq and tuner refuse files that others can read, so the containers run as their owner; as root, as a user without rights.
uid=$(id -u)
if ((uid == 0)); then
    uid=10001
    chown -R "$uid" secrets
fi
[[ -e .env ]] || printf 'TUNER_UID=%s\nTUNER_HOST=%s\n' "$uid" "$host" >.env
echo "made $PWD/secrets and $PWD/.env; the dashboard's password is in secrets/dashboard-password" >&2
