# make run    start the program (without a display: render a short comparison to out/demo.mp4 and print its table)
# make test   the whole test suite          make lint   ruff and mypy
# make bench  every result in assets/bench, a quarter of an hour: see the table there for the single commands
# make pictures  the moving pictures of README, some 10 minutes
# make cuda   on a machine with a CUDA device: everything that is to be known of it, in ten minutes, into out/cuda
# Everything is installed into .venv on first use.

PYTHON ?= python3
PY := .venv/bin/python
READY := .venv/.ready
LIBRARIES := libgl1 libegl1 libgl1-mesa-dri xvfb xdotool

.PHONY: run test lint bench pictures cuda clean system-libraries

run: $(READY)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
		$(PY) -m app; \
	else \
		echo "No display: rendering a short comparison to out/demo.mp4"; \
		mkdir -p out && $(PY) -m app --headless --scene dam-break --precond jacobi,multigrid,htp --frames 270 \
			--record out/demo.mp4 --json out/demo.json; \
	fi

test: $(READY)
	$(PY) -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

BENCH := $(PY) -m precond.bench

bench: $(READY)
	@mkdir -p out/bench
	$(BENCH) --paper --methods none,jacobi,dilu --json out/bench/paper.json
	$(BENCH) --paper --sizes 1024 --json out/bench/paper-htp-1024.json
	$(BENCH) --sizes 1024,2048,4096,8192,16384 --json out/bench/barrier.json --plot out/bench/barrier
	$(BENCH) --sizes 65536,262144 --methods multigrid,hierarchy,htp --json out/bench/barrier-large.json
	$(BENCH) --suite kinds --json out/bench/kinds.json --plot out/bench/kinds
	$(BENCH) --suite sizes --json out/bench/sizes.json --plot out/bench/sizes
	$(BENCH) --suite outside --json out/bench/outside.json
	$(BENCH) --suite ablations --json out/bench/ablations.json
	$(BENCH) --suite generalisation --json out/bench/generalisation.json --plot out/bench/generalisation
	for scene in dam-break rising-bubble; do \
		$(BENCH) --in-loop $$scene --rtol 1e-6 --json out/bench/in-loop-$$scene.json || exit 1; \
	done

PICTURES := assets/pictures
CLEAN = $(PY) -m app --headless --precond multigrid --frames 180

pictures: $(READY)
	@mkdir -p out
	$(PY) -m app --headless --scene dam-break --grid 128x170 --compare multigrid,htp,jacobi --race --frames 240 \
		--record out/race.mp4 --json out/race.json
	$(PY) -m app.animate out/race.mp4 $(PICTURES)/race.webp --width 720
	$(PY) -m app --headless --scene dam-break --compare htp,jacobi,dilu,multigrid --frames 60 \
		--record out/same.mp4 --json out/same.json
	cp out/same.png $(PICTURES)/same.png
	$(PY) -m app --headless --scene drop-splash --frames 90 --record out/window.mp4
	$(PY) -m app.animate out/window.mp4 $(PICTURES)/window.png --width 1280
	set -e; for scene in drop-splash pour emulsion sinking-blob; do $(CLEAN) --scene $$scene --size 240x180 \
		--record $(PICTURES)/$$scene.webp; done
	$(CLEAN) --scene lava-lamp --size 90x180 --record $(PICTURES)/lava-lamp.webp
	$(CLEAN) --scene rayleigh-taylor --size 135x180 --record $(PICTURES)/rayleigh-taylor.webp
	$(CLEAN) --scene three-liquids --size 400x300 --theme dark --record $(PICTURES)/three-liquids.webp

cuda: $(READY)
	@mkdir -p out/cuda
	$(BENCH) --suite acceptance --device cuda --json out/cuda/acceptance.json

# torch goes first and alone, so that nothing else picks another build of it.
$(READY): pyproject.toml constraints.txt | system-libraries
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(PY) -m precond.compile_kernels
	@touch $@

# OpenGL and a virtual display come from the system, and on a bare Debian so does venv.
system-libraries:
	@missing=""; \
	if [ "$$(uname)" = Linux ] && [ -x /sbin/ldconfig ]; then \
		for library in libGL.so.1 libEGL.so.1; do /sbin/ldconfig -p | grep -q "$$library" || missing="$(LIBRARIES)"; done; \
		command -v Xvfb >/dev/null 2>&1 || missing="$(LIBRARIES)"; \
	fi; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
			echo "Installing system libraries: $$missing"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; } >/dev/null 2>&1 \
				|| echo "That did not work; go on without: apt-get install $$missing"; \
		else \
			echo "For windows, videos and their tests install: sudo apt-get install $$missing"; \
		fi; \
	fi

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
