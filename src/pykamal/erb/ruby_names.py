"""Names of Ruby that this interpreter lacks. They are refused as unsupported, others as unknown.

The module is imported only when a template is refused. The names are those of Ruby 3.3 with
ActiveSupport and the libraries for SSH, as a deployment tool loads them.
"""

from __future__ import annotations

from typing import Final

from pykamal.erb.word_lists import words

_CONSTANTS: Final = frozenset(
    words(
        "ARGF ARGV ActiveSupport Addrinfo ArgumentError Array BCryptPbkdf Base64 BasicObject BasicSocket "
        "Binding CGI Class ClosedQueueError Comparable Complex Concurrent ConditionVariable Data Date "
        "DateAndTime DateTime Delegator DidYouMean Digest Dir ENV EOFError ERB Ed25519 Encoding EncodingError "
        "Enumerable Enumerator Errno ErrorHighlight Etc Exception FalseClass Fiber FiberError File FileTest "
        "FileUtils Float FloatDomainError Forwardable FrozenError GC Gem Hash I18n IO IOError IPAddr IPSocket "
        "IndexError Integer Interrupt JSON Kernel KeyError LCSDiff LoadError LocalJumpError Logger Marshal "
        "MatchData Math Method Module Monitor MonitorMixin Mutex NameError Net NetSshForwardingNoPuts "
        "NilClass NoMatchingPatternError NoMatchingPatternKeyError NoMemoryError NoMethodError "
        "NotImplementedError Numeric Object ObjectSpace Open3 OpenSSL OpenStruct Pathname Proc Process Psych "
        "Queue RUBY_COPYRIGHT RUBY_DESCRIPTION RUBY_ENGINE RUBY_ENGINE_VERSION RUBY_PATCHLEVEL RUBY_PLATFORM "
        "RUBY_RELEASE_DATE RUBY_REVISION RUBY_VERSION Ractor Random Range RangeError Rational RbConfig "
        "Refinement Regexp RegexpError Resolv RubyVM RuntimeError SSHKit SSHKitDslRoles STDERR STDIN STDOUT "
        "ScanError ScriptError SecureRandom SecurityError Set Shellwords Signal SignalException "
        "SimpleDelegator SingleForwardable Singleton SizedQueue Socket SocketError SortedSet StandardError "
        "StopIteration String StringIO StringScanner Struct Symbol SyntaxError SyntaxSuggest SystemCallError "
        "SystemExit SystemStackError TCPServer TCPSocket TOPLEVEL_BINDING Tempfile Thor Thread ThreadError "
        "ThreadGroup Time Timeout TracePoint TrueClass TypeError UDPSocket UNIXServer UNIXSocket URI "
        "UnboundMethod UncaughtThrowError UnicodeNormalize Warning YAML Zeitwerk ZeroDivisionError Zlib"
    )
)
_FUNCTIONS: Final = frozenset(
    words(
        "Array Complex Float Hash Integer JSON Pathname Rational String URI ` abort at_exit autoload "
        "autoload? binding block_given? caller caller_locations catch eval exec exit exit! fail fork format "
        "gem gets global_variables initialize_clone initialize_copy initialize_dup iterator? j jj lambda load "
        "local_variables loop open p pp print printf proc putc puts raise rand readline readlines require "
        "require_relative respond_to_missing? select set_trace_func sleep spawn sprintf srand syscall system "
        "test throw trace_var trap untrace_var warn"
    )
)
_OBJECT: Final = frozenset(
    words(
        "! != !~ <=> == === blank? class clone define_singleton_method display dup duplicable? enum_for eql? "
        "equal? extend freeze frozen? hash in? inspect instance_eval instance_exec instance_of? "
        "instance_variable_defined? instance_variable_get instance_variable_set instance_variables is_a? "
        "itself kind_of? method methods nil? object_id presence presence_in present? private_methods "
        "protected_methods public_method public_methods public_send remove_instance_variable respond_to? send "
        "singleton_class singleton_method singleton_methods tap then to_enum to_json to_param to_query to_s "
        "to_yaml try try! yield_self"
    )
)
_METHODS: Final = {
    "String": """
    % * + +@ -@ < << <= =~ > >= [] []= ascii_only? b between? byteindex byterindex bytes bytesize byteslice
    bytesplice camelcase camelize capitalize capitalize! casecmp casecmp? center chars chomp chomp! chop chop! chr
    clamp classify clear codepoints concat constantize count crypt dasherize deconstantize dedup delete delete!
    delete_prefix delete_prefix! delete_suffix delete_suffix! demodulize downcase downcase! downcase_first dump
    each_byte each_char each_codepoint each_grapheme_cluster each_line empty? encode encode! encoding end_with?
    force_encoding foreign_key getbyte grapheme_clusters gsub gsub! hex humanize include? index inquiry insert
    intern is_utf8? length lines ljust lstrip lstrip! match match? mb_chars next next! oct ord parameterize
    partition pluralize prepend quote quoted? replace reverse reverse! rindex rjust rpartition rstrip rstrip!
    safe_constantize scan scrub scrub! setbyte shellescape shellsplit singularize size slice slice! split squeeze
    squeeze! start_with? strip strip! sub sub! succ succ! sum swapcase swapcase! tableize titlecase titleize to_c
    to_f to_i to_r to_str to_sym tr tr! tr_s tr_s! underscore undump unicode_normalize unicode_normalize!
    unicode_normalized? unpack unpack1 unquote upcase upcase! upcase_first upto valid_encoding?
    """,
    "Array": """
    & * + - << [] []= all? any? append assoc at bsearch bsearch_index chain chunk chunk_while clear collect collect!
    collect_concat combination compact compact! compact_blank compact_blank! concat count cycle deconstruct delete
    delete_at delete_if detect difference dig drop drop_while each each_cons each_entry each_index each_slice
    each_with_index each_with_object empty? entries exclude? excluding extract! extract_options! fetch fill filter
    filter! filter_map find find_all find_index first flat_map flatten flatten! grep grep_v group_by in_order_of
    include? including index index_by index_with inject insert intersect? intersection join keep_if last lazy length
    many? map map! max max_by maximum member? min min_by minimum minmax minmax_by none? one? pack partition
    permutation pick pluck pop prepend product push rassoc reduce reject reject! repeated_combination
    repeated_permutation replace reverse reverse! reverse_each rindex rotate rotate! sample select select! shelljoin
    shift shuffle shuffle! size slice slice! slice_after slice_before slice_when sole sort sort! sort_by sort_by!
    sum take take_while tally to_a to_ary to_formatted_s to_fs to_h to_sentence to_set to_xml transpose union uniq
    uniq! unshift values_at without zip |
    """,
    "Hash": """
    < <= > >= [] []= all? any? assert_valid_keys assoc chain chunk chunk_while clear collect collect_concat compact
    compact! compact_blank compact_blank! compare_by_identity compare_by_identity? count cycle deconstruct_keys
    deep_merge deep_merge! deep_merge? deep_stringify_keys deep_stringify_keys! deep_symbolize_keys
    deep_symbolize_keys! deep_transform_keys deep_transform_keys! default default= default_proc default_proc= delete
    delete_if detect dig drop drop_while each each_cons each_entry each_key each_pair each_slice each_value
    each_with_index each_with_object empty? entries except except! exclude? excluding extract! fetch fetch_values
    filter filter! filter_map find find_all find_index first flat_map flatten grep grep_v group_by has_key?
    has_value? in_order_of include? including index_by index_with inject invert keep_if key key? keys lazy length
    many? map max max_by maximum member? merge merge! min min_by minimum minmax minmax_by none? one? partition pick
    pluck rassoc reduce rehash reject reject! replace reverse_each select select! shift size slice slice!
    slice_after slice_before slice_when sole sort sort_by store stringify_keys stringify_keys! sum symbolize_keys
    symbolize_keys! take take_while tally to_a to_h to_hash to_options to_options! to_proc to_set transform_keys
    transform_keys! transform_values transform_values! uniq update value? values values_at without zip
    """,
    "Integer": """
    % & * ** + +@ - -@ / < << <= > >= >> [] ^ abs abs2 allbits? angle anybits? arg between? bit_length ceil ceildiv
    chr clamp coerce conj conjugate denominator digits div divmod downto even? fdiv finite? floor gcd gcdlcm i imag
    imaginary infinite? integer? lcm magnitude modulo negative? next nobits? nonzero? numerator odd? ord phase polar
    positive? pow pred quo rationalize real real? rect rectangular remainder round singleton_method_added size step
    succ times to_bn to_c to_f to_i to_int to_r truncate upto zero? | ~
    """,
    "Float": """
    % * ** + +@ - -@ / < <= > >= abs abs2 angle arg between? ceil clamp coerce conj conjugate denominator div divmod
    fdiv finite? floor i imag imaginary infinite? integer? magnitude modulo nan? negative? next_float nonzero?
    numerator phase polar positive? prev_float quo rationalize real real? rect rectangular remainder round
    singleton_method_added step to_c to_f to_i to_int to_r truncate zero?
    """,
    "Symbol": """
    < <= =~ > >= [] between? capitalize casecmp casecmp? clamp downcase empty? encoding end_with? id2name intern
    length match match? name next size slice start_with? succ swapcase to_proc to_sym upcase
    """,
    "Range": """
    % all? any? begin bsearch chain chunk chunk_while collect collect_concat compact compact_blank count cover?
    cycle detect drop drop_while each each_cons each_entry each_slice each_with_index each_with_object end entries
    exclude? exclude_end? excluding filter filter_map find find_all find_index first flat_map grep grep_v group_by
    in_order_of include? including index_by index_with inject last lazy many? map max max_by maximum member? min
    min_by minimum minmax minmax_by none? one? overlap? partition pick pluck reduce reject reverse_each select size
    slice_after slice_before slice_when sole sort sort_by step sum take take_while tally to_a to_h to_set uniq
    without zip
    """,
    "NilClass": """
    & =~ ^ rationalize to_a to_c to_f to_h to_i to_r |
    """,
    "Time": """
    + - < <= > >= asctime between? ceil clamp ctime day deconstruct_keys dst? floor friday? getgm getlocal getutc
    gmt? gmt_offset gmtime gmtoff hour isdst localtime mday min mon monday? month nsec round saturday? sec strftime
    subsec sunday? thursday? to_a to_date to_datetime to_f to_i to_r to_time tuesday? tv_nsec tv_sec tv_usec usec
    utc utc? utc_offset wday wednesday? yday year zone
    """,
    "Date": """
    + - < << <= > >= >> ajd amjd asctime between? clamp ctime cwday cweek cwyear day day_fraction deconstruct_keys
    downto england friday? gregorian gregorian? httpdate infinite? iso8601 italy jd jisx0301 julian julian? ld leap?
    marshal_dump marshal_load mday mjd mon monday? month new_start next next_day next_month next_year prev_day
    prev_month prev_year rfc2822 rfc3339 rfc822 saturday? start step strftime succ sunday? thursday? to_date
    to_datetime to_time tuesday? upto wday wednesday? xmlschema yday year
    """,
    "Proc": """
    << >> [] arity binding call curry lambda? parameters ruby2_keywords source_location to_proc yield
    """,
    "MatchData": """
    [] begin byteoffset captures deconstruct deconstruct_keys end length match match_length named_captures names
    offset post_match pre_match regexp size string to_a values_at
    """,
    "Regexp": """
    =~ casefold? encoding fixed_encoding? match match? named_captures names options source timeout ~
    """,
    "StandardError": """
    backtrace backtrace_locations cause detailed_message exception full_message message set_backtrace
    """,
    "Process::Status": """
    & >> coredump? exited? exitstatus pid signaled? stopped? stopsig success? termsig to_i
    """,
    "URI::Generic": """
    + - absolute absolute? authority check_host coerce component component_ary decoded_password decoded_user
    default_port find_proxy fragment fragment= hierarchical? host host= hostname hostname= merge merge! normalize
    normalize! opaque opaque= origin parser password password= path path= port port= query query= registry registry=
    relative? request_uri route_from route_to scheme scheme= select set_authority set_host set_opaque set_password
    set_path set_port set_registry set_scheme set_user set_userinfo to_str user user= userinfo userinfo=
    """,
    "Gem::Version": """
    < <= > >= approximate_recommendation between? bump canonical_segments clamp encode_with init_with marshal_dump
    marshal_load partition_segments prerelease? pretty_print release segments to_yaml_properties version
    yaml_initialize
    """,
    "TrueClass": """
    & ^ |
    """,
    "Class": """
    < <= > >= alias_method allocate ancestors attached_object attr attr_accessor attr_reader attr_writer autoload
    autoload? cattr_accessor cattr_reader cattr_writer class_eval class_exec class_variable_defined?
    class_variable_get class_variable_set class_variables const_added const_defined? const_get const_missing
    const_set const_source_location constants define_method delegate delegate_missing_to deprecate_constant include
    include? included_modules instance_method instance_methods mattr_accessor mattr_reader mattr_writer
    method_defined? method_visibility module_eval module_exec name new prepend private_class_method private_constant
    private_instance_methods private_method_defined? protected_instance_methods protected_method_defined?
    public_class_method public_constant public_instance_method public_instance_methods public_method_defined?
    redefine_method redefine_singleton_method refinements remove_class_variable remove_method set_temporary_name
    silence_redefinition_of_method singleton_class? subclasses superclass try_convert undef_method
    undefined_instance_methods yaml_tag
    """,
}
ADVICE: Final = {
    "Rails": "The application is not loaded here, and neither in Ruby: read the value from ENV[...].",
    "Open3": "Write `a line for the shell`, and ask $?.success? how it ended.",
    "IO::popen": "Write `a line for the shell`.",
    "spawn": "Write `a line for the shell`.",
    "exec": "Write `a line for the shell`.",
    "fork": "Write `a line for the shell`.",
    "open": "Write File.read(...).",
    "File::open": "Write File.read(...).",
    "Pathname": "Write File.join, File.basename and File.read with texts.",
    "OpenStruct": "Write a map: { name: value }.",
    "Struct": "Write a map: { name: value }.",
    "Data": "Write a map: { name: value }.",
    "DateTime": "Write Time or Date.",
    "Net": "Write `curl ...`.",
    "Resolv": "Write `getent hosts NAME`.",
    "IPAddr": "Write the addresses out, or compute them in a script.",
    "Etc": 'Write ENV["USER"] or `nproc`.',
    "Process": "Write `a line for the shell`.",
    "STDIN": "Read the value from ENV[...].",
    "ARGV": "Read the value from ENV[...].",
    "gets": "Read the value from ENV[...].",
    "eval": "Write the code itself.",
    "instance_eval": "Write the code itself.",
    "sleep": "Wait in a script, and read what it prints with `...`.",
    "load": "Write `ruby FILE`.",
    "require_relative": "Write `ruby FILE`, or read the values from a YAML file: YAML.load_file.",
    "catch": "Write `break` or `return`.",
    "throw": "Write `break` or `return`.",
    "to_yaml": "Write .to_json: JSON is YAML too.",
    "Digest": "Write Digest::SHA256.hexdigest(...).",
    "Rational": "Write a number with a fraction.",
    "Complex": "Write a number with a fraction.",
    "pp": "Write p.",
    "printf": "Write print format(...).",
    "set_backtrace": "Leave it out.",
}
_LIBRARY_ADVICE: Final = {
    "net/http": "Write `curl ...`.",
    "open-uri": "Write `curl ...`.",
    "resolv": "Write `getent hosts NAME`.",
    "ipaddr": "Write the addresses out, or compute them in a script.",
    "aws-sdk": "Write `aws ... --output json` and read it with JSON.parse.",
    "google/cloud": "Write `gcloud ... --format json` and read it with JSON.parse.",
    "hcloud": "Write `hcloud server list -o json` and read it with JSON.parse.",
    "droplet_kit": "Write `doctl ... -o json` and read it with JSON.parse.",
    "rails": "The application is not loaded here, and neither in Ruby: read the value from ENV[...].",
    "./config": "Write `ruby FILE`, or read the values from a YAML file: YAML.load_file.",
}


def has_constant(name: str) -> bool:
    """Return True where Ruby has the constant, or the module that should contain it."""
    return name.partition("::")[0] in _CONSTANTS


def has_function(name: str) -> bool:
    return name in _FUNCTIONS or name in ("__LINE__", "__ENCODING__")


def has_method(kind: str, name: str) -> bool:
    """Return True where values of that class have the method in Ruby."""
    if name in _OBJECT:
        return True
    if kind not in _METHODS:
        return kind.endswith(("Error", "Exception")) and name in _METHODS["StandardError"].split()
    return name in _METHODS[kind].split()


def advice(name: str) -> str | None:
    """Return a supported replacement to suggest."""
    return ADVICE.get(name) or ADVICE.get(name.partition("::")[0])


def library_advice(name: str) -> str | None:
    return next((text for library, text in _LIBRARY_ADVICE.items() if name.startswith(library)), None)
