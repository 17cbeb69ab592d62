using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>Options and arguments that several commands have, and how to read them.</summary>
internal static class CommonOptions
{
    public static readonly OptionSpec Config = new("config", 'c', "FILE", "Configuration of couicctl")
    {
        Default = EndpointReader.DefaultPath,
        Kind = ValueKind.File,
    };

    public static readonly OptionSpec Json = new("json", '\0', null, "Print the answer of the API as JSON");

    public static readonly OptionSpec JsonNotQuiet = Json with { NotWith = "quiet" };

    public static readonly OptionSpec Tag = new("tag", 't', "TAG", "Name the reason: at most 64 ASCII letters, digits, \"-\" and \"_\"");

    public static readonly OptionSpec Expiration =
        new("expiration", 'e', "TIME", "When it ends by itself: minutes, or a duration such as 90s, 1h30m, 2d, 1w; 0 for never") { Default = "0" };

    public static readonly OptionSpec Update = new("update", '\0', null, "Replace tag and expiration of what is there already");

    public static readonly OptionSpec Extend =
        new("extend", '\0', null, "Where it is there already, keep what expires later; neither tag loses what it asked for") { NotWith = "update" };

    public static readonly ArgumentSpec Cidr = new("CIDR", "Network such as 192.0.2.0/24 or 2001:db8::/32; a bare address means its /32 or /128");

    public static readonly ArgumentSpec Policy = new("POLICY", "drop or ignore", ValueKind.Policy);

    /// <exception cref="CliException">The configuration is bad.</exception>
    public static ApiClient Connect(this Invocation invocation) =>
        new(EndpointReader.Read(invocation.Option(Config.Long)));

    /// <summary>The policy that the command belongs to, as in <c>couicctl drop add</c>.</summary>
    public static Policy PolicyOfCommand(this Invocation invocation)
    {
        _ = Policies.TryParse(invocation.Parsed.Path[1].Name.AsSpan(), out Policy policy);
        return policy;
    }

    /// <exception cref="UsageException">It is no CIDR.</exception>
    public static Cidr CidrArgument(this Invocation invocation, int index) =>
        Values.CidrArgument.TryParse(invocation.Argument(index), out Cidr cidr) is { } fault ? throw new UsageException(fault) : cidr;

    /// <summary>Throws when there is any fault, so that all are shown at once.</summary>
    /// <exception cref="UsageException">There is one.</exception>
    public static void ThrowIfAny(params IEnumerable<string?> faults)
    {
        string[] all = [.. faults.OfType<string>()];
        if (all.Length > 0)
        {
            throw new UsageException(all);
        }
    }

    /// <summary>The second since 1970 that TIME from now is; 0 for never.</summary>
    public static ulong ExpiryOf(ulong seconds, DateTimeOffset now) => seconds == 0 ? 0 : (ulong)now.ToUnixTimeSeconds() + seconds;

    public static string? TagFault(string tag)
    {
        string? fault = TagRule.Fault(System.Text.Encoding.UTF8.GetBytes(tag));
        return fault is null ? null : $"tag \"{Printable.Quote(tag)}\": {fault}";
    }
}
