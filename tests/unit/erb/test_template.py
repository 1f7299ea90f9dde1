"""Templates: the Ruby that people write in deploy.yml, evaluated without Ruby (spec/config.md 1.3).

The results in the tables are what Ruby Kamal 2.11.0 renders; the parity suite compares them again.
"""

from __future__ import annotations

import pytest

from pykamal.erb.template import render
from tests.erb_forms_table import FAILURES, FORMS
from tests.erb_table import EXPRESSIONS, TRIMMED
from tests.unit.erb.rendering import failure, rendered, session, whole

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("expression", "expected"), [*EXPRESSIONS, *FORMS])
def test_expressions(expression: str, expected: str) -> None:
    """Each expression inserts what Ruby inserts."""
    assert rendered(f"<%= {expression} %>") == expected


@pytest.mark.parametrize(("expression", "expected"), FAILURES)
def test_failures(expression: str, expected: str) -> None:
    """A template that fails in Ruby fails with Ruby's class and message, and `rescue` sees both."""
    error = failure(f"<%= {expression} %>")
    assert f"{error.label}: {error.message}" == expected
    rescued = f'begin; {expression}; rescue Exception => error; "#{{error.class}}: #{{error.message}}"; end'
    assert rendered(f"<%= {rescued} %>") == expected


@pytest.mark.parametrize(("source", "expected"), TRIMMED)
def test_tags_and_trimming(source: str, expected: str) -> None:
    """Statements, comments, escapes and trim mode `-` leave the white space that ERB leaves."""
    assert rendered(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<% begin %>\na\n<% raise 'x' %>\nb\n<% rescue => e %>\n<%= e.message %>\n<% end %>", "\na\n\nx\n"),
        ("<%\n  names = <<~LIST.split\n    web\n      jobs\n  LIST\n%><%= names.join(',') %>", "web,jobs"),
        ("<% text = <<-'RAW'\n #{no} \\n\n RAW\n%><%= text.inspect %>", '" \\#{no} \\\\n\\n"'),
        ("<% a = [<<~A, <<~B]\n  one\nA\n  two #{1 + 1}\nB\n%><%= a.inspect %>", '["one\\n", "two 2\\n"]'),
        ('<% def host(n) = "h#{n}" %><% 2.times do |i| -%>\n- <%= host(i) %>\n<% end -%>\n', "- h0\n- h1\n"),
        ("<% def list(items) %><% items.each do |i| %>[<%= i %>]<% end %><% end %><% list(%w[a b]) %>", "[a][b]"),
        ("<% row = ->(x) { %>(<%= x %>)<% } %><% row.call(1); row.(2) %>", "(1)(2)"),
        ("<% for i in 1..2 %><%= i %>,<% end %>", "1,2,"),
        ("<% i = 0; while i < 2 %><%= i %><% i += 1; end %>", "01"),
        ("<% @web = %w[a b] %><%= @web.size %><%= @none.inspect %>", "2nil"),
        ("<% HOSTS = %w[a b].freeze %><%= HOSTS.first %>", "a"),
        ("<% if false %><% host = 'x' %><% end %><%= host.inspect %>", "nil"),
        ("<%= ERB.new('<' + '%= 1 + 1 %' + '>!').result %>", "2!"),
        ("<% x = 7 %><%= ERB.new('<' + '%= x %' + '>').result(binding) %>", "7"),
        ("<%= ERB.new('<' + '%= y %' + '>').result_with_hash(y: 3) %>", "3"),
        (
            '<%= ERB.new("<" + "% 2.times do -%" + ">\\nz\\n<" + "% end -%" + ">\\n", trim_mode: \'-\').result %>',
            "z\nz\n",
        ),
        ("<% puts 'seen'; $stdout.puts [1, [2]]; warn 'w'; print 1; p 'x' %>a", "a"),
        ("<%= Tool::VERSION %>", "1.0"),
        ("<%= RUBY_ENGINE %>-<%= RUBY_ENGINE_VERSION %>", "ruby-3.4.1"),
        ("<%= [1, 2].map { it * 2 } %>", "[2, 4]"),
        ('<%= `echo hi`.strip %><%= $?.success? %><%= system("echo hi") %>', "hitruetrue"),
        ('<% require "dotenv/load" %><%= ENV["FROM_DOTENV"] %>', "yes"),
    ],
)
def test_templates(source: str, expected: str) -> None:
    """Code in several tags is one program: blocks, methods, loops and `rescue` go around text."""
    assert rendered(source) == expected


def test_what_is_printed_is_no_part_of_the_file() -> None:
    """`puts` and its like write for people, as in Ruby, whatever they are called on."""
    printed = whole("<% puts 'seen', [1, [2]]; $stderr.puts; print 'a', 1; p 'x' %>a").printed
    assert printed == 'seen\n1\n[2]\n\na1"x"\n'


def test_templates_of_one_run_share_the_main_object() -> None:
    """Instance variables, methods and constants are there for the next file; local variables are not."""
    shared = session()
    render("a", "<% @web = 1; HOST = 2; def three = 3; local = 4 %>", shared)
    assert render("b", "<%= @web %><%= HOST %><%= three %>", shared).text == "123"
    assert failure("<%= local %>").message == "undefined local variable or method `local' for main"


@pytest.mark.parametrize(
    ("source", "label", "message"),
    [
        ("<%= undefined_thing %>", "NameError", "undefined local variable or method `undefined_thing' for main"),
        ("<%= undefined_thing(1) %>", "NoMethodError", "undefined method `undefined_thing' for main"),
        ("<%= foo( %>", "SyntaxError", "unexpected the end of the tag"),
        ("<%= Foo:: %>", "SyntaxError", "unexpected the end of the tag"),
        ('<%= "#{Foo::}" %>', "SyntaxError", "unexpected the end of the tag"),
        ("<%= 1 +", "SyntaxError", "a tag is opened with <% and never closed with %>"),
        ("<% if true %>", "SyntaxError", "expected end, found the end of the tag"),
        ("<% begin %>", "SyntaxError", "expected end, found the end of the tag"),
        ("<%= 'x %>", "SyntaxError", "a text is never closed"),
        ("<%= <<~X\n a\n%>", "SyntaxError", "the text that ends with X is never closed"),
        ("<%= Net::HTTP.get('x') %>", "SyntaxError", "the constant Net::HTTP is not supported in templates"),
        ("<% class Foo; end %>", "SyntaxError", "`class` is not supported in templates"),
        ("<% alias a b %>", "SyntaxError", "`alias` is not supported in templates"),
        ("<%= self %>", "SyntaxError", "`self` is not supported in templates"),
        ("<% return 1 %>", "SyntaxError", "`return` outside of a method is not supported in templates"),
        ("<% break %>", "SyntaxError", "Invalid break"),
        ("<% case 1; in Integer then 1; end %>", "SyntaxError", "`case ... in` is not supported in templates"),
        ("<%= ENV.rehash %>", "SyntaxError", "ENV.rehash is not supported in templates"),
        ("<%= Date.valid_date?(1, 2, 3) %>", "SyntaxError", "Date.valid_date? is not supported in templates"),
        ("<%= $0 %>", "SyntaxError", "$0 is not supported in templates"),
        ("<% $x = 1 %>", "SyntaxError", "assigning to $x is not supported in templates"),
        (
            "<%= 'a'.instance_eval { 1 } %>",
            "SyntaxError",
            "the method instance_eval of an instance of String is not supported in templates",
        ),
        ("<%= eval('1') %>", "SyntaxError", "`eval` is not supported in templates"),
        ("<%= 'a' =~ /[a/ %>", "RegexpError", "a character class that never ends: /[a/"),
        (
            "<%= 'a' =~ /(a)\\1/ %>",
            "SyntaxError",
            "a regular expression with the back-reference \\1 is not supported in templates",
        ),
        (
            "<%= 'a' =~ /a++/ %>",
            "SyntaxError",
            "a regular expression with a possessive repeat is not supported in templates",
        ),
        ("<% require 'net/http' %>", "SyntaxError", 'require "net/http" is not supported in templates'),
        ("<%= 'a'.split(1, 2, 3) %>", "SyntaxError", "split with these arguments is not supported in templates"),
        ("<%= RUBY_PLATFORM %>", "NameError", "RUBY_PLATFORM is not known: no Ruby runs here"),
        ("<%= File.read(5) %>", "TypeError", "no implicit conversion of Integer into String"),
        ("<%= File.join('a', nil) %>", "TypeError", "no implicit conversion of nil into String"),
        ("<%= JSON.parse('{') %>", "JSON::ParserError", "unexpected token at '{'"),
        ("<% ENV['X'] = 5 %>", "TypeError", "no implicit conversion of Integer into String"),
        ("<% abort 'no hosts' %>", "SystemExit", "no hosts"),
        ("<% exit 1 %>", "SystemExit", "exit"),
        (
            "<%= ERB.new('<' + '%= nope %' + '>').result %>",
            "NameError",
            "line 1 of the template inside: undefined local variable or method `nope' for main",
        ),
    ],
)
def test_refusals(source: str, label: str, message: str) -> None:
    """Ruby's own failures keep Ruby's class and words; what is not supported is named (rows 9 to 12)."""
    error = failure(source)
    assert (error.label, error.message) == (label, message)


@pytest.mark.parametrize(
    "code",
    [
        "ERB.new('<' + '%= eval(1) %' + '>').result",
        "eval('1')",
        "'a'.instance_eval { 1 }",
        "IPAddr.new('::1')",
        "'a' =~ /a++/",
        "$0",
    ],
)
def test_what_is_not_supported_is_not_rescued(code: str) -> None:
    """Ruby would not fail there, so a `rescue` must not hide that this interpreter does."""
    assert "is not supported" in failure(f"<%= ({code} rescue 'hidden') %>").message


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("<%= SERVER_IP %>", 'Did you mean ENV["SERVER_IP"]?'),
        ("<%= server_ip %>", 'Did you mean ENV["SERVER_IP"]?'),
        ("<% hosts = 1 %><%= host %>", "Did you mean hosts?"),
        ("<% @web = 1 %><%= web %>", "Did you mean @web?"),
        ("<% def address = 1 %><%= adress() %>", "Did you mean address?"),
        ("<%= Fille.read('x') %>", "Did you mean File?"),
        ("<%= 'x'.upcas %>", "Did you mean upcase?"),
        ("<%= ENV['NOPE'].strip %>", "A variable that is not set is nil; ENV.fetch names the missing one."),
        ("<%= Rails.env %>", "The application is not loaded here, and neither in Ruby: read the value from ENV[...]."),
        ("<%= Open3.capture2('x') %>", "Write `a line for the shell`, and ask $?.success? how it ended."),
        ("<% require 'aws-sdk-ec2' %>", "Write `aws ... --output json` and read it with JSON.parse."),
        ("<%= [].to_yaml %>", "Write .to_json: JSON is YAML too."),
    ],
)
def test_refusals_say_what_to_write_instead(source: str, hint: str) -> None:
    """A name that nothing has is compared with those that are there; Ruby that is not supported has a replacement."""
    assert failure(source, environment={"SERVER_IP": "10.0.0.1"}).hint == hint


def test_upper_case_names_are_looked_for_in_the_environment() -> None:
    """`<%= SERVER_IP %>` is a variable of the environment that somebody forgot to look up."""
    assert failure("<%= SERVER_IP %>", environment={"A": "1"}).hint == 'Did you mean ENV["SERVER_IP"]?'


def test_long_chains_are_no_nesting() -> None:
    """Operators in a row do not deepen anything."""
    assert rendered(f"<%= {' + '.join('1' * 5000)} %>") == "5000"
