#!/usr/bin/env bash
#SBATCH --job-name=tuner
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120
# Starts Ray on the nodes of a Slurm job, runs one study on it, and ends Ray.
#   sbatch deploy/slurm.sh mnist --trials 500
# With GPUs, add --gpus-per-node=8 to sbatch and --gpus-per-worker 1 at the end. A job that is resubmitted continues the study.
set -euo pipefail

(($#)) || { echo "usage: sbatch slurm.sh SEARCH [options of tuner study start]" >&2; exit 2; }
port=${RAY_PORT:-6379}
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --all-ip-addresses | cut -d ' ' -f 1)

# In a folder that all nodes see. The token is in a file for its owner only, as command lines are shown to all users.
scratch=$(mktemp --directory "$PWD/.tuner-ray.XXXXXX")
(umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$scratch/token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$scratch/token

steps=()
# shellcheck disable=SC2317 # the trap calls it
finish() {
    ((${#steps[@]})) && kill "${steps[@]}" 2>/dev/null
    wait
    rm -rf "$scratch"
}
trap finish EXIT

start_ray() { # NODE OPTIONS...: keeps Ray running on a node, as a step of the job, without the password of the database
    local node=$1
    shift
    env -u TUNER_STORAGE -u PGPASSWORD srun --nodes=1 --ntasks=1 --overlap --nodelist="$node" \
        ray start "$@" --block --disable-usage-stats --num-cpus="${SLURM_CPUS_PER_TASK:-1}" \
        ${SLURM_GPUS_ON_NODE:+--num-gpus="$SLURM_GPUS_ON_NODE"} >&2 &
    steps+=($!)
}

start_ray "$head" --head --node-ip-address="$address" --port="$port" --include-dashboard=false
until ray health-check --address "$address:$port" >/dev/null 2>&1; do
    kill -0 "${steps[0]}" 2>/dev/null || { echo "Error: Ray did not start on $head" >&2; exit 1; }
    sleep 1
done
for node in "${nodes[@]:1}"; do
    start_ray "$node" --address="$address:$port"
done

# Nodes that come later get trainers when they come. Slurm's SIGTERM, two minutes before the end, stops the study in order.
tuner study start "$@" --ray "$address:$port" &
study=$!
trap 'kill -TERM "$study" 2>/dev/null' TERM
wait "$study" && code=0 || code=$?
if kill -0 "$study" 2>/dev/null; then # the wait was interrupted by the signal
    wait "$study" && code=0 || code=$?
fi
exit "$code"
