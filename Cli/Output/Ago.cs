namespace Couic.Cli.Output;

/// <summary>How long something has been past.</summary>
internal static class Ago
{
    /// <summary><c>3m4s ago</c>, or <c>now</c>. Seconds since 1970.</summary>
    public static string Text(ulong then, ulong now) => then >= now ? "now" : ExpirationCell.Left(now - then) + " ago";
}
