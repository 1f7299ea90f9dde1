"""Whole deploy.yml files with templates in the forms that people use, for the comparison with Ruby Kamal."""

from __future__ import annotations

from typing import Final

_REST: Final = """\
registry: {username: u, password: p}
builder: {arch: amd64}
"""

TEMPLATED_FILES: Final[dict[str, str]] = {
    "instances of a cloud": """\
<%
  require "json"
  json = %x(echo '{"Reservations": [{"Instances": [
    {"PrivateIpAddress": "10.0.0.4", "Tags": [{"Key": "role", "Value": "web"}]},
    {"PrivateIpAddress": "10.0.0.5", "Tags": []}
  ]}]}')
  instances = JSON.parse(json)["Reservations"].flat_map { |r| r["Instances"] }
  by_role = instances.group_by do |instance|
    tag = instance["Tags"].find { |t| t["Key"] == "role" }
    tag ? tag["Value"] : "web"
  end
-%>
service: app
image: acme/app
servers:
<% by_role.each do |role, members| -%>
  <%= role %>:
    hosts:
<%   members.sort_by { |m| m["PrivateIpAddress"] }.each do |m| -%>
      - <%= m["PrivateIpAddress"] %>
<%   end -%>
<% end -%>
""",
    "outputs of terraform with a way out": """\
<%
  def output(name, default: nil)
    value = JSON.parse(`echo '{"ips": {"value": ["10.1.0.1", "10.1.0.2"]}}'`).dig(name, "value")
    value.nil? ? default : value
  rescue JSON::ParserError => e
    warn "terraform: #{e.message}"
    default
  end

  ips = output("ips", default: [])
  db = output("db") || "db.internal"
%>
service: app
image: acme/app
servers:
  web: <%= ips.to_json %>
env:
  clear:
    DB_HOST: <%= db %>
""",
    "helpers, lambdas and here documents": """\
<%-
  PREFIX = "shop"
  name = ->(part, sep = "-") { [PREFIX, part].compact.join(sep) }
  note = <<~TEXT.lines.map(&:strip).join(" ")
    first line
      second line of #{PREFIX}
  TEXT
  workers = { default: 2, mailers: 1 }
-%>
service: <%= name.call("app") %>
image: acme/<%= name.("app", "_") %>
servers:
  web: [10.0.0.1]
<% workers.each_with_index do |(queue, count), index| -%>
  <%= queue %>_worker:
    hosts: [10.0.1.<%= index + 1 %>]
    cmd: "bin/worker -q <%= queue %> -c <%= count %>"
<% end -%>
labels:
  note: <%= note.inspect %>
""",
    "answers that may be missing": """\
<%
  version = begin
    File.read(".ruby-version").strip
  rescue Errno::ENOENT
    "3.3.0"
  end
  sha = `git -C /nonexistent rev-parse HEAD 2>/dev/null`.strip
  sha = "unknown" if sha.empty? || !$?.success?
  password = (Rails.application.credentials.password rescue nil)
  @hosts ||= ENV.fetch("HOSTS") { "10.0.0.1, 10.0.0.2" }.split(",").map(&:strip)
  debug = ENV["DEBUG"] == "1"
%>
service: app
image: acme/app
servers: <%= @hosts.inspect %>
env:
  clear:
    RUBY: <%= version %>
    SHA: <%= sha %>
    PASSWORD: "<%= password || "none" %>"
    LEVEL: <%= debug ? "debug" : "info" %>
    <% unless defined?(Rails) %>FRAMEWORK: none<% end %>
""",
    "choices by name": """\
<%
  env = ENV.fetch("KAMAL_DESTINATION", "production")
  size = case env
         when "production", /\\Aprod/ then 3
         when "staging" then 1
         else 0
         end
  hosts = (1..size).map { |n| format("%s-%02d.example.com", env, n) }
  newest = %w[1.9.0 1.10.2 1.10.1].max_by { |v| Gem::Version.new(v) }
  slug = "Feature/ABC 12!".downcase.gsub(/[^a-z0-9]+/, "-").gsub(/\\A-|-\\z/, "")
  if (match = "acme/shop:v2.3.1".match(%r{\\A(?<org>[^/]+)/(?<name>[^:]+):v(\\d+)}))
    org, app = match[:org], match[:name]
  end
%>
service: <%= app %>
image: <%= org %>/<%= app %>
servers:
<% for host in hosts do -%>
  - <%= host %>
<% end -%>
labels: {version: "<%= newest %>", branch: <%= slug %>}
<% i = 0; while i < 2; i += 1 -%>
x-loop<%= i %>: <%= i * 10 %>
<% end -%>
""",
}
"""By what they show."""

for _name, _text in TEMPLATED_FILES.items():
    TEMPLATED_FILES[_name] = _text + _REST


SHELL_LINES: Final[dict[str, str | None]] = {
    "nowhere": "Errno::ENOENT",
    "nowhere --a=b +%Y": "Errno::ENOENT",
    "  nowhere\ty": "Errno::ENOENT",
    "no%where": "Errno::ENOENT",
    "./nowhere.sh": "Errno::ENOENT",
    "/nowhere/x y": "Errno::ENOENT",
    "./text.sh": "Errno::EACCES",
    "config/ x": "Errno::EACCES",
    "sh gone.sh": None,
    "exit 127": None,
    "if": None,
    "a=b nowhere": None,
    "nowhere a#b": None,
    "nowhere 'q'": None,
    "nowhere 2>/dev/null": None,
    "nowhere; true": None,
    "nowhere ~": None,
}
"""Shell lines whose program is not there, and the class of the error where Ruby sees that itself."""

FILES_OF_SHELL_LINES: Final = {"text.sh": "#!/bin/sh\n", "gone.sh": "echo hi; exit 127\n"}


def with_shell_line(line: str) -> str:
    """A deploy.yml that shows what the line prints and how it ends."""
    shown = f"<%= (`{line}` + $?.exitstatus.to_s).inspect %>"
    return f"service: app\nimage: acme/app\nservers: [10.0.0.1]\nlabels: {{shown: {shown}}}\n{_REST}"
