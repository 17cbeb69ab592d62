using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>Options and arguments shared by several commands.</summary>
internal static class CommonOptions
{
    public static readonly OptionSpec Config = new("config", 'c', "FILE", "Configuration of couicctl")
    {
        Default = EndpointReader.DefaultPath,
        Kind = ValueKind.File,
    };

    public static readonly OptionSpec Server = new(
        "server", '\0', "URL", $"The daemon, such as https://couic1.example.net:2900 (or {EndpointReader.ServerVariable}, with {EndpointReader.TokenVariable} and {EndpointReader.FingerprintVariable})");

    public static OptionSpec Quiet(string what) => new("quiet", 'q', null, $"Print only {what}, one per line") { NotWith = "json" };

    public static readonly OptionSpec Tag = new("tag", 't', "TAG", "Label of the entry: at most 64 ASCII letters, digits, \"-\" and \"_\"") { Kind = ValueKind.Tag };

    public static readonly OptionSpec Expiration =
        new("expiration", 'e', "TIME", "When it expires: minutes, a duration such as 90s, 1h30m, 2d, 1w, or a date such as 2026-12-31T23:00; 0 or never for never") { Default = "0" };

    public static readonly OptionSpec Reason = new("reason", '\0', "TEXT", "Why the entry exists: at most 256 bytes, without control characters");

    public static readonly OptionSpec Update = new("update", '\0', null, "Give an existing entry this tag, expiration and reason; what is not given stays") { NotWith = "claim" };

    public static readonly OptionSpec Extend =
        new("extend", '\0', null, "Add the tag to an existing entry; the later expiration counts, and each tag keeps its own") { NotWith = "update" };

    public static readonly OptionSpec Claim =
        new("claim", '\0', null, "Add a claim of the tag to an existing entry, which lasts until its last claim ends; an error if the tag has one") { NotWith = "extend" };

    /// <summary>What happens to an existing entry: a value for <c>on_conflict</c>; null for none of the options.</summary>
    public static string? ConflictMode(this Invocation invocation) =>
        invocation.Merges() ? "merge" : Array.Find((string[])["update", "extend", "claim"], invocation.Has);

    /// <summary>Whether <c>--update</c> leaves something as it is, as not all of it is given.</summary>
    public static bool Merges(this Invocation invocation) =>
        invocation.Has("update") && !Array.TrueForAll((string[])["tag", "expiration", "reason"], invocation.Has);

    public static readonly OptionSpec IfExists = new("if-exists", '\0', null, "Succeed even if there is no such entry");

    public static readonly OptionSpec IfAbsent = new("if-absent", '\0', null, "Leave an existing entry unchanged and succeed") { NotWith = "update" };

    public static readonly OptionSpec DryRun = new("dry-run", '\0', null, "Report what would change, and change nothing");

    public static readonly ArgumentSpec Cidr = new("CIDR", "Network such as 192.0.2.0/24 or 2001:db8::/32; a bare address means its /32 or /128");

    public static readonly ArgumentSpec Cidrs = new(
        "CIDR", "Networks such as 192.0.2.0/24, addresses, or ranges such as 192.0.2.1-192.0.2.9", Occurs: Occurs.AnyNumber);

    public static readonly ArgumentSpec Policy = new("POLICY", "drop or ignore", ValueKind.Policy);

    /// <exception cref="CliException">The configuration is invalid.</exception>
    public static ApiClient Connect(this Invocation invocation) =>
        new(EndpointReader.Read(invocation.Option(Server.Long), invocation.Option(Config.Long), invocation.Context.Environment));

    /// <summary>The policy that the command belongs to, as in <c>couicctl drop add</c>.</summary>
    public static Policy PolicyOfCommand(this Invocation invocation)
    {
        _ = Policies.TryParse(invocation.Parsed.Path[1].Name.AsSpan(), out Policy policy);
        return policy;
    }

    /// <exception cref="UsageException">The argument is not a CIDR.</exception>
    public static Cidr CidrArgument(this Invocation invocation, int index) =>
        NetworkText.TryParse(invocation.Argument(index), out Cidr cidr) is { } fault ? throw new UsageException(fault) : cidr;

    /// <summary>The networks of all arguments; a range gives several.</summary>
    /// <exception cref="UsageException">An argument is not a network; all faults are reported.</exception>
    public static List<Cidr> CidrArguments(this Invocation invocation, params IEnumerable<string?> otherFaults)
    {
        var cidrs = new List<Cidr>();
        ThrowIfAny([.. invocation.Parsed.Arguments.Select(argument => NetworkText.TryParse(argument, cidrs)), .. otherFaults]);
        return cidrs;
    }

    /// <summary>Throws if there is a fault; reports all of them at once.</summary>
    /// <exception cref="UsageException">There is a fault.</exception>
    public static void ThrowIfAny(params IEnumerable<string?> faults)
    {
        string[] all = [.. faults.OfType<string>()];
        if (all.Length > 0)
        {
            throw new UsageException(all);
        }
    }

    public static string? ReasonFault(string reason)
    {
        string? fault = ReasonRule.Fault(System.Text.Encoding.UTF8.GetBytes(reason));
        return fault is null ? null : $"--reason: {fault}";
    }

    public static string? TagFault(string tag)
    {
        string? fault = TagRule.Fault(System.Text.Encoding.UTF8.GetBytes(tag));
        return fault is null ? null : $"tag \"{Printable.Quote(tag)}\": {fault}";
    }
}
