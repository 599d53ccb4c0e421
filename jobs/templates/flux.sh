#!/bin/bash
#flux: --job-name=@JOB@
#flux: --nodes=@NODES@
#flux: --time-limit=@TIME@
#flux: --output=@JOB@-{{id}}.log
@DIRECTIVES@
@NOTES@
set -eu
@ENVIRONMENT@
@RANKS@
@COMMAND@
