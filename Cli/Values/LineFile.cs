namespace Couic.Cli.Values;

/// <summary>Opens FILE arguments.</summary>
internal static class LineFile
{
    /// <param name="file"><c>-</c> is standard input.</param>
    /// <exception cref="CliException">It cannot be opened.</exception>
    public static Stream Open(CliContext context, string file)
    {
        try
        {
            return file == "-" ? context.Input : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 65536);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string cause = Directory.Exists(file) ? "is a directory" : SystemErrors.Text(e);
            throw new CliException($"read \"{Printable.Quote(file)}\": {cause}");
        }
    }
}
