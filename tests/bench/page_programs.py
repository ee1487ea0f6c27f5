# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs of the set "five", and those that stand in where one of them is missing."""

import hashlib
import os
import random
import socket
import time

from page_tools import (Missing, anonymous_bytes, list_of_texts, need, start, texts,
                        wait_for_growth, write_source)


def cxx_source(scratch):
    """A file of C++ full of templates."""
    source = os.path.join(scratch, "unit.cc")
    with open(source, "w") as out:
        out.write("#include <bits/stdc++.h>\n")
        for i in range(400):
            out.write(f"""
struct record{i} {{ int key; std::string name; std::vector<double> values; }};
std::map<std::string, record{i}> table{i};
int handle{i}(std::istream &in)
{{
	std::regex word("[a-z]+{i}|[0-9]*");
	std::string line;
	std::unordered_map<std::string, std::shared_ptr<record{i}>> seen;
	while (std::getline(in, line))
		if (std::regex_match(line, word)) {{
			auto r = std::make_shared<record{i}>();
			r->name = line; r->key = {i}; r->values.push_back(line.size());
			seen.emplace(line, r); table{i}[line] = *r;
		}}
	std::vector<std::pair<std::string, std::shared_ptr<record{i}>>> v(seen.begin(), seen.end());
	std::sort(v.begin(), v.end(), [](auto &a, auto &b) {{ return a.second->key < b.second->key; }});
	return std::accumulate(v.begin(), v.end(), 0, [](int n, auto &p) {{ return n + p.second->key; }});
}}
""")
    return source


def program_cxx(scratch, wanted):
    """cc1plus in the middle of an optimising compilation."""
    source = cxx_source(scratch)
    process = start([need("g++"), "-O2", "-g", "-S", "-o", "/dev/null", source], scratch)
    wait_for_growth(process, wanted * 1.2, 90)
    return process


def program_c(scratch, wanted):
    """cc1 optimising one large file of C."""
    source = os.path.join(scratch, "unit.c")
    with open(source, "w") as out:
        for header in ("stdio", "stdlib", "string", "math", "errno", "time", "sys/stat"):
            out.write(f"#include <{header}.h>\n")
        for i in range(20000):
            out.write(f"""
struct node{i} {{ struct node{i} *next; unsigned int key; char name[{i % 60 + 4}]; }};
static int cmp{i}(const struct node{i} *a, const struct node{i} *b)
{{
	return a->key != b->key ? (a->key < b->key ? -1 : 1) : strcmp(a->name, b->name);
}}
int insert{i}(struct node{i} **head, unsigned int key, const char *name)
{{
	struct node{i} *n = malloc(sizeof(*n)), **at = head;
	if (!n) return -ENOMEM;
	n->key = key * {i * 2654435761 % 4294967296}u;
	snprintf(n->name, sizeof(n->name), "%s-%d", name, {i});
	while (*at && cmp{i}(*at, n) < 0) at = &(*at)->next;
	n->next = *at; *at = n;
	return 0;
}}
""")
    process = start([need("gcc"), "-O2", "-g", "-S", "-o", "/dev/null", source], scratch)
    wait_for_growth(process, wanted * 1.2, 90)
    return process


PYTHON = r"""
import ast, collections, decimal, email, http.client, json, re, signal, sqlite3, sys, tokenize
import xml.dom.minidom, asyncio, unittest, logging.config, multiprocessing, ctypes, inspect, pydoc
wanted = int(sys.argv[1])
trees, index, records = [], collections.defaultdict(list), []
db = sqlite3.connect(":memory:")
db.execute("create table lines (path text, number integer, text text)")
db.execute("create index by_text on lines (text)")
def resident():
    with open("/proc/self/statm") as f:
        pages = f.read().split()
    return (int(pages[1]) - int(pages[2])) * 4096
for path in sys.stdin:
    path = path.strip()
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except (OSError, UnicodeDecodeError):
        continue
    if path.endswith(".py"):
        try:
            trees.append((path, ast.parse(text)))
        except SyntaxError:
            pass
    for number, line in enumerate(text.splitlines()):
        db.execute("insert into lines values (?, ?, ?)", (path, number, line))
        for word in re.findall(r"\w+", line):
            index[word].append((path, number))
    records.append(json.loads(json.dumps({"path": path, "size": len(text),
        "words": collections.Counter(re.findall(r"\w+", text)).most_common(50)})))
    if resident() > wanted:
        break
signal.pause()
"""


def program_python(scratch, wanted):
    """Python indexing files: syntax trees, dictionaries, records, an SQLite table."""
    with open(list_of_texts(scratch, order=1)) as stdin:
        process = start([need("python3"), "-c", PYTHON, str(int(wanted * 1.1))], scratch,
                        stdin=stdin)
    wait_for_growth(process, wanted * 1.1, 90)
    return process


def program_perl(scratch, wanted):
    """Perl counting words and keeping lines."""
    script = ("while (my $p = <STDIN>) { chomp $p; open(my $f, '<', $p) or next;"
              " while (<$f>) { push @{$lines{$p}}, $_; $count{$_}++ for /\\w+/g } } sleep 600")
    with open(list_of_texts(scratch)) as stdin:
        process = start([need("perl"), "-e", script], scratch, stdin=stdin)
    wait_for_growth(process, wanted * 1.1, 90)
    return process


def program_redis(scratch, wanted):
    """Redis filled with sessions, counters, lists and sorted sets, some deleted again."""
    path = os.path.join(scratch, "redis.sock")
    process = start([need("redis-server"), "--port", "0", "--unixsocket", path, "--save", "",
                     "--dir", scratch], scratch)
    client = socket.socket(socket.AF_UNIX)
    for _ in range(200):
        try:
            client.connect(path)
            break
        except OSError:
            time.sleep(0.05)
    else:
        raise Missing("redis-server does not listen")

    def send(commands):
        out = bytearray()
        for command in commands:
            out += b"*%d\r\n" % len(command)
            for word in command:
                word = word if isinstance(word, bytes) else str(word).encode()
                out += b"$%d\r\n%s\r\n" % (len(word), word)
        client.sendall(out + b"*1\r\n$4\r\nPING\r\n")
        tail = b""
        while not tail.endswith(b"+PONG\r\n"):
            tail = tail[-16:] + client.recv(65536)

    dice = random.Random(2)
    lines = []
    for file in texts():
        with open(file, errors="replace") as text:
            lines += [line.strip() for line in text if len(line) > 20]
        if len(lines) > 100000:
            break
    user = 0
    while anonymous_bytes(process.pid) < wanted * 1.1:
        batch = []
        for user in range(user, user + 500):
            batch.append(["HSET", f"user:{user}", "name", dice.choice(lines)[:24], "id", user,
                          "visits", dice.randrange(1000), "seen", 1700000000 + user * 7])
            token = hashlib.sha256(b"%d" % user).hexdigest()[:16]
            cart = ",".join('{"item":%d,"count":%d}' % (dice.randrange(50000), dice.randrange(5))
                            for _ in range(dice.randrange(12)))
            batch.append(["SET", f"session:{token}",
                          '{"user":%d,"language":"en","theme":"default","cart":[%s]}' % (user, cart)])
            batch.append(["ZADD", f"board:{user % 97}", dice.randrange(100000), f"user:{user}"])
            batch.append(["RPUSH", f"log:{user % 499}", "GET /shop/item/%d HTTP/1.1 200 %d "
                          "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"
                          % (dice.randrange(50000), dice.randrange(20000))])
            if dice.randrange(4) == 0:
                batch.append(["DEL", f"user:{dice.randrange(user + 1)}"])
        user += 1
        send(batch)
    client.close()
    return process


PAGE_SCRIPT = """
const rows = [];
for (let i = 0; i < 6000; i++) {
  const row = document.createElement('tr');
  for (let j = 0; j < 6; j++) {
    const cell = document.createElement('td');
    cell.textContent = words[(i * 7 + j * 13) % words.length] + ' ' + i * j;
    cell.style.color = 'hsl(' + (i * j) % 360 + ',60%,40%)';
    row.appendChild(cell);
  }
  rows.push({ node: row, key: i, label: 'row-' + i, tags: words.slice(i % 500, i % 500 + 5) });
  document.querySelector('table').appendChild(row);
}
const canvas = document.querySelector('canvas').getContext('2d');
for (let i = 0; i < 4000; i++) {
  canvas.fillStyle = 'hsl(' + i % 360 + ',70%,50%)';
  canvas.fillRect(Math.abs(Math.sin(i) * 700), Math.abs(Math.cos(i * 3) * 500), 40, 30);
}
window.index = new Map(words.map((w, i) => [w, { word: w, at: [i, i * 2], text: w.repeat(3) }]));
"""


def browser_page(path, first):
    """A page of a few thousand elements out of the words of some headers."""
    files = [file for file in texts() if file.endswith((".h", "copyright"))][first:first + 60]
    text = "".join(open(file, errors="replace").read() for file in files)
    words = [word for word in text.split() if word.isalnum()]
    with open(path, "w") as out:
        out.write("<!doctype html><meta charset=utf-8><title>Index</title>"
                  "<style>td{border:1px solid #ccc;padding:2px;border-radius:3px}</style>"
                  "<canvas width=800 height=600></canvas><table></table>")
        for paragraph in text.split("\n\n")[:3000]:
            for mark, escape in (("&", "&amp;"), ("<", "&lt;")):
                paragraph = paragraph.replace(mark, escape)
            out.write(f"<p class=text>{paragraph}</p>\n")
        out.write(f"<script>const words = {words[:20000]!r};{PAGE_SCRIPT}</script>")


def program_browser(scratch, wanted):
    """A headless browser showing three pages: text, tables, a canvas, scripts."""
    command = need("chromium", "chromium-browser", "google-chrome")
    top = os.path.join(scratch, "top.html")
    with open(top, "w") as out:
        for i in range(3):
            browser_page(os.path.join(scratch, f"page{i}.html"), i * 200)
            out.write(f"<iframe width=900 height=900 src=page{i}.html></iframe>\n")
    process = start([command, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                     "--disable-dev-shm-usage", "--remote-debugging-port=0",
                     "--disable-background-networking", "--no-proxy-server",
                     "--host-resolver-rules=MAP * ~NOTFOUND",
                     f"--user-data-dir={scratch}/profile", "file://" + top], scratch)
    wait_for_growth(process, wanted * 3, 40)
    return process


NODE = r"""
const fs = require('fs'), index = new Map(), kept = [];
const wanted = +process.argv[1];
for (const path of fs.readFileSync(0, 'utf8').split('\n')) {
  let text; try { text = fs.readFileSync(path, 'utf8'); } catch { continue; }
  text.split('\n').forEach((line, number) => {
    kept.push({ path, number, line });
    for (const word of line.split(/\W+/)) {
      if (!index.has(word)) index.set(word, []);
      index.get(word).push({ path, number });
    }
  });
  if (process.memoryUsage().rss > wanted) break;
}
setInterval(() => kept.length + index.size, 1000);
"""


def program_node(scratch, wanted):
    """Node.js indexing files."""
    with open(list_of_texts(scratch)) as stdin:
        process = start([need("node"), "-e", NODE, str(int(wanted * 1.3))], scratch, stdin=stdin)
    wait_for_growth(process, wanted * 1.2, 60)
    return process


JAVA = r"""
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;

public class Index {
	record Place(String path, int line) {}
	static final Map<String, List<Place>> index = new HashMap<>();
	static final Map<String, Map<String, Integer>> counts = new TreeMap<>();
	static final List<String> lines = new ArrayList<>();

	public static void main(String[] args) throws Exception {
		for (String path : Files.readAllLines(Path.of(args[0]))) {
			List<String> text;
			try {
				text = Files.readAllLines(Path.of(path));
			} catch (java.io.IOException e) {
				continue;
			}
			int number = 0;
			Map<String, Integer> count = counts.computeIfAbsent(path, p -> new TreeMap<>());
			for (String line : text) {
				lines.add(line.strip());
				for (String word : line.split("\\W+")) {
					index.computeIfAbsent(word, w -> new ArrayList<>()).add(new Place(path, number));
					count.merge(word, 1, Integer::sum);
				}
				number++;
			}
			Runtime r = Runtime.getRuntime();
			if (r.totalMemory() - r.freeMemory() > Long.parseLong(args[1])) {
				System.gc();
				if (r.totalMemory() - r.freeMemory() > Long.parseLong(args[1]))
					break;
			}
		}
		System.out.println(index.entrySet().stream().filter(e -> e.getValue().size() > 9)
			.map(Map.Entry::getKey).sorted().collect(Collectors.joining(" ")).length());
		Thread.sleep(600000);
	}
}
"""


def program_jvm(scratch, wanted):
    """A JVM that compiled a program from source and ran it: an index of files."""
    paths, source = list_of_texts(scratch), write_source(scratch, "Index.java", JAVA)
    heap = int(wanted)
    process = start([need("java"), f"-Xmx{heap * 2 >> 20}m", "-XX:+UseSerialGC", source, paths,
                     str(heap)], scratch)
    wait_for_growth(process, wanted * 1.5, 60)
    time.sleep(1)
    return process


FIVE = {
    "cxx": program_cxx, "python": program_python, "redis": program_redis,
    "browser": program_browser, "jvm": program_jvm,
}
MORE = {"c": program_c, "perl": program_perl, "node": program_node}
INSTEAD = {"redis": "perl", "browser": "node", "cxx": "c", "jvm": "node"}
