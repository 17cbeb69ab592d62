using System.Diagnostics;
using System.Globalization;

namespace Couic.Daemon;

/// <summary>
/// What the privileged stage passes to the unprivileged daemon that replaces it: the numbers of inherited descriptors, in one environment
/// variable.
/// </summary>
/// <param name="Socket">The API's socket, bound, not listening.</param>
/// <param name="Attacher">The daemon's end of the channel to the attacher.</param>
/// <param name="Config">A memory file with the configuration, which the daemon's user may not be able to read.</param>
/// <param name="Lock">The lock of the working folder.</param>
/// <param name="SocketLock">The lock of the socket's name.</param>
/// <param name="KeptBpf">Whether CAP_BPF had to stay, on an old kernel.</param>
/// <param name="ConfigPath">Where the configuration is read again at a reload; empty for the embedded default.</param>
/// <param name="Plane">The descriptors of the maps, for <c>BpfDataPlane</c>.</param>
/// <param name="Network">The sockets of <c>[server] listen</c>, bound, not listening.</param>
/// <param name="Programs">Descriptors of the programs, for another attacher; empty where the daemon cannot start one.</param>
/// <param name="StartedAt">When the start began, a value of <see cref="Stopwatch"/>.</param>
/// <param name="Links">Links that an earlier process has left, with their names.</param>
internal sealed record Handover(
    int Socket, int Attacher, int Config, int Lock, int SocketLock, bool KeptBpf, string ConfigPath, string Plane, int[] Programs, int[] Network,
    long StartedAt, (int Number, LinkName Name)[] Links)
{
    public const string Variable = "COUIC_HANDOVER";

    private const int Fields = 12;

    public string Format() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Socket};{Attacher};{Config};{Lock};{SocketLock};{(KeptBpf ? 1 : 0)};{Plane};{string.Join(',', Programs)};{string.Join(',', Network)};{StartedAt};{string.Join(',', Links.Select(Text))};{ConfigPath}");

    /// <summary>Null when this process is not the replacement of a privileged stage.</summary>
    public static Handover? FromEnvironment()
    {
        string? text = Environment.GetEnvironmentVariable(Variable);
        string[] parts = text?.Split(';', Fields) ?? [];
        return parts.Length != Fields
            ? null
            : new Handover(
                Number(parts[0]), Number(parts[1]), Number(parts[2]), Number(parts[3]), Number(parts[4]), Number(parts[5]) != 0, parts[11], parts[6],
                [.. List(parts[7]).Select(Number)], [.. List(parts[8]).Select(Number)], long.Parse(parts[9], CultureInfo.InvariantCulture),
                [.. List(parts[10]).Select(Link)]);

        static string[] List(string part) => part.Split(',', StringSplitOptions.RemoveEmptyEntries);
        static int Number(string part) => int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture);
        static (int, LinkName) Link(string part) => LinkName.TryParse(part.AsSpan(part.IndexOf('@') + 1), out LinkName name)
            ? (Number(part[..part.IndexOf('@')]), name)
            : throw new FormatException($"\"{part}\" is not a link");
    }

    private static string Text((int Number, LinkName Name) link) => string.Create(CultureInfo.InvariantCulture, $"{link.Number}@{link.Name}");
}
